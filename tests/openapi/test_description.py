"""The description names what web/routes.py serves to programs, and nothing else."""

from typing import Any, cast

from auth_server.domain.deployment import Deployment
from auth_server.web.browser import Browser
from auth_server.web.pages import Renderer
from auth_server.web.routes import endpoints, published
from tests.openapi.description import description

PAGES = {
    *("/", "/authorize", "/authorize/{workspace}", "/consent", "/device", "/disconnect", "/sign-out"),
    *("/login", "/login/callback", "/login/upstream"),
}
"""What people see in a browser."""


class Anything:
    """Stands where flows would; building the table of routes calls none of them."""

    def __getattr__(self, name: str) -> "Anything":
        return self


def test_every_operation_for_programs_is_described() -> None:
    issuer, anything = "https://auth.example.com", cast("Any", Anything())
    browser = Browser(issuer=issuer, render=Renderer(brand="Brand", issuer=issuer))
    documents = published(Deployment(issuer, (), frozenset()))
    routes = endpoints(anything, documents, store=anything, keys=anything, issuer=issuer, browser=browser)
    served = {(path, method) for path, served in routes.items() if path not in PAGES for method in served.handlers}
    paths = description()["paths"]
    assert {(path, method.upper()) for path, described in paths.items() for method in described} == served
    assert routes.keys() >= PAGES
