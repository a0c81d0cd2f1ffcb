"""A contract for import-linter: what some packages may import from outside, name by name.

A list of what is forbidden always lacks the next library. import-linter finds this class by `contract_types` in
pyproject.toml.
"""

from typing import cast

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output
from importlinter.domain.imports import Module


class AllowListContract(Contract):
    """Of packages outside the repository, `source_modules` and what is below them import only `allowed_modules`."""

    type_name = "allow_list"

    source_modules = fields.ListField(subfield=fields.ModuleField())
    allowed_modules = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Looks at every direct import; who may import whom inside the repository is the business of layers."""
        own = tuple(self.session_options["root_packages"])
        # import-linter puts the parsed values in the place of the fields.
        sources, allowed = cast("list[Module]", self.source_modules), cast("list[str]", self.allowed_modules)
        found = []
        for source in sources:
            for importer in sorted({source.name} | graph.find_descendants(source.name)):
                for imported in sorted(graph.find_modules_directly_imported_by(importer)):
                    package = imported.partition(".")[0]
                    if package not in own and package not in allowed:
                        [line, *_] = graph.get_import_details(importer=importer, imported=imported)
                        found.append((importer, imported, line["line_number"]))
        return ContractCheck(kept=not found, metadata={"found": found})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Names the imports, and the remedy."""
        for importer, imported, line in check.metadata["found"]:
            output.print_error(f"- {importer} -> {imported} (l.{line})", bold=False)
        output.print_error("Do without, or add the name to the contract in pyproject.toml and say why.", bold=False)
        output.new_line()
