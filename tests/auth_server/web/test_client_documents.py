"""What people see of clients that are known by their document, and of documents that are not in order."""

from dataclasses import replace

import pytest

from auth_server.domain.failures import WIRE, Facts, Reason, Refused
from auth_server.domain.workspace import DEFAULT_WORKSPACE
from auth_server.flows.consent import ConsentQuestion
from auth_server.protocol.client_documents import Defect
from auth_server.web import consent, notices
from auth_server.web.browser import Browser
from auth_server.web.pages import Renderer

ISSUER = "https://auth.example.com"
BROWSER = Browser(issuer=ISSUER, render=Renderer(brand="DynamoSQL", issuer=ISSUER))
QUESTION = ConsentQuestion(
    client_name="App",
    client_verified=False,
    client_host="app.example",
    redirect_host="app.example",
    redirect_is_loopback=False,
    redirect_is_private_scheme=False,
    scopes=("query",),
    resource="https://mcp.example.com/mcp",
    workspaces=(DEFAULT_WORKSPACE,),
    user_email="ada@example.com",
    csrf_token="csrf",
    sign_out_token="out",
)


def text(question: ConsentQuestion) -> str:
    """The consent page of a question."""
    page = consent._page(question, "txn", BROWSER, "")
    return bytes(BROWSER.render(page).body).decode()


def test_the_host_that_vouches_for_a_client_is_shown_in_place_of_the_warning() -> None:
    shown = text(QUESTION)
    assert "<dt>App from</dt><dd><code>app.example</code></dd>" in shown
    assert "Unverified app" not in shown
    assert 'class="note warn"' not in shown


def test_without_one_the_client_is_unverified() -> None:
    shown = text(replace(QUESTION, client_host=None))
    assert "Unverified app" in shown
    assert "App from" not in shown


def test_a_program_on_this_computer_is_warned_of_all_the_same() -> None:
    """Anybody can use a document's public id."""
    shown = text(replace(QUESTION, redirect_host="127.0.0.1:1", redirect_is_loopback=True))
    assert "Any program on this computer could be behind this request" in shown


def test_g17_an_answer_to_another_site_is_called_out() -> None:
    """A document may name redirect URIs anywhere; whoever reads the page must see it."""
    shown = text(replace(QUESTION, redirect_host="evil.example"))
    assert "The answer goes to <code>evil.example</code>, which is not the app’s own site." in shown


def test_a_name_that_imitates_is_called_out_whoever_publishes_it() -> None:
    assert "This app is not DynamoSQL" in text(replace(QUESTION, client_name="DynamoSQL"))


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason.name.startswith("CLIENT_DOCUMENT")])
def test_every_refusal_of_a_document_has_a_page_of_its_own(reason: Reason) -> None:
    notice = notices.notice(Refused(reason, Facts(defect=Defect.NO_NAME)))
    assert "incomplete or damaged" not in " ".join(notice.paragraphs)
    assert WIRE[reason].status == (503 if reason is Reason.CLIENT_DOCUMENT_UNAVAILABLE else 400)


def test_what_is_wrong_with_a_document_is_said() -> None:
    notice = notices.notice(Refused(Reason.CLIENT_DOCUMENT_INVALID, Facts(defect=Defect.OTHER_CLIENT_ID)))
    assert Defect.OTHER_CLIENT_ID in notice.paragraphs[0]
