"""Key files: 32 bytes, base64url, readable by their owner only."""

import base64
import os
import stat
from pathlib import Path

import pytest

from shared_kernel.key_file import KEY_BYTES, UnusableKeyFile, read_key_file, write_key_file
from shared_kernel.settings import ServiceSettings

KEY = bytes(range(0xE0, 0x100))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the key file under test goes."""
    return tmp_path / "a.key"


def written(path: Path, content: bytes, mode: int = 0o600) -> Path:
    """A file of that content and mode."""
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_a_written_key_is_read_back(path: Path) -> None:
    write_key_file(path, KEY)
    assert read_key_file(path) == KEY


def test_a_key_file_is_only_for_its_owner_whatever_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        write_key_file(path, KEY)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_key_file_is_never_overwritten(path: Path) -> None:
    write_key_file(path, KEY)
    with pytest.raises(FileExistsError):
        write_key_file(path, bytes(KEY_BYTES))
    assert read_key_file(path) == KEY


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o601, 0o777])
def test_a_key_file_that_others_can_use_is_refused_with_the_remedy(path: Path, mode: int) -> None:
    written(path, base64.urlsafe_b64encode(KEY), mode)
    with pytest.raises(UnusableKeyFile, match=f"chmod 600 {path}"):
        read_key_file(path)


def test_an_owner_may_make_it_read_only(path: Path) -> None:
    assert read_key_file(written(path, base64.urlsafe_b64encode(KEY), 0o400)) == KEY


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n", b"  \n\n"])
@pytest.mark.parametrize("padding", [True, False])
def test_padding_and_white_space_round_the_key_do_not_matter(path: Path, ending: bytes, padding: bool) -> None:
    text = base64.urlsafe_b64encode(KEY)
    assert read_key_file(written(path, (text if padding else text.rstrip(b"=")) + ending)) == KEY


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        base64.urlsafe_b64encode(KEY[:-1]),
        base64.urlsafe_b64encode(KEY + b"x"),
        KEY,
        KEY.hex().encode(),
        b"!" * 43,
        base64.urlsafe_b64encode(KEY)[:20] + b"\n" + base64.urlsafe_b64encode(KEY)[20:],
    ],
)
def test_a_file_that_holds_no_key_is_refused_without_showing_it(path: Path, content: bytes) -> None:
    with pytest.raises(UnusableKeyFile) as refused:
        read_key_file(written(path, content))
    assert str(path) in str(refused.value)
    assert content.decode("latin-1").strip() in ("", str(path)) or content.decode("latin-1") not in str(refused.value)


def test_a_missing_file_is_named(path: Path) -> None:
    with pytest.raises(UnusableKeyFile, match=f"{path}: FileNotFoundError"):
        read_key_file(path)


def test_a_directory_is_not_a_key_file(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with pytest.raises(UnusableKeyFile, match="IsADirectoryError"):
        read_key_file(tmp_path)


def test_settings_count_an_empty_variable_as_absent_and_cannot_be_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Example(ServiceSettings):
        port: int = 9000

    monkeypatch.setenv("PORT", "")
    settings = Example()
    assert settings.port == 9000
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1
