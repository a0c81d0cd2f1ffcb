"""A symmetric key in a file that only its owner can read: 32 bytes, unpadded base64url, on one line."""

import base64
import binascii
import os
import stat
from pathlib import Path

KEY_BYTES = 32


class UnusableKeyFile(Exception):
    """A key file is missing, readable by others, or does not hold a key. The text names the file and the remedy."""


def read_key_file(path: Path) -> bytes:
    """The 32-byte key in a file that only its owner can read, written as unpadded base64url on one line."""
    text = read_private_file(path)
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        message = f"key file {path} must hold {KEY_BYTES} bytes in base64url on one line"
        raise UnusableKeyFile(message)
    return key


def read_private_file(path: Path) -> str:
    """The text in a file that only its owner can read, without the end of its line. Raises UnusableKeyFile."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        text = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        message = f"cannot read {path}: {error.__class__.__name__}"
        raise UnusableKeyFile(message) from error
    if mode & 0o077:
        message = f"{path} has mode {mode:04o}; run: chmod 600 {path}"
        raise UnusableKeyFile(message)
    return text


def write_key_file(path: Path, key: bytes) -> None:
    """Creates a key file that read_key_file accepts; refuses to overwrite one."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(base64.urlsafe_b64encode(key).decode().rstrip("=") + "\n")
