"""``zonkeur rules``: check a rule file, and see what its limits do to panels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import typer
from matplotlib.figure import Figure

from api.commands.output import BAD_CALL, NOT_JUDGED, print_json, progress_console
from config.load import GradingConfig, load_grading
from evidence.errors import EvidenceError
from grading.errors import RuleError
from grading.operating import Characteristic, characteristic, u_of_power
from grading.rules import Rule

rules = typer.Typer(help="Rule files: checked, and what their limits do.", no_args_is_help=True)

GREEN, GREY, RED = "#176f39", "#b9bec7", "#b2221c"
FILE = typer.Argument(None, help="Rule file; the one in use if left out.")
SITE = typer.Option(None, "--config", help="A site's own configuration.")


@rules.command("check")
def check(
    file: Path | None = FILE,
    config: Path | None = SITE,
    as_json: bool = typer.Option(False, "--json", help="One JSON document on stdout."),
) -> None:
    """Load a rule file and say all that is wrong with it; exit code 3 where something is."""
    try:
        loaded = _load(file, config)
    except (EvidenceError, RuleError) as error:
        if as_json:
            print_json({"sound": False, "detail": error.detail, "remedy": error.remedy})
        progress_console.print(f"{error.detail} {error.remedy}", style="red")
        raise typer.Exit(NOT_JUDGED) from error
    book = loaded.rules
    if as_json:
        names = {"name": book.name, "version": book.version}
        print_json({"sound": True, **names, "rules": len(book.rules), "grades": len(book.grades)})
    else:
        counted = f"{len(book.rules)} rules, {len(book.grades)} grades"
        progress_console.print(f"{book.name} {book.version} is sound: {counted}.")


@rules.command("curve")
def curve(
    file: Path | None = FILE,
    config: Path | None = SITE,
    rule: str = typer.Option("power", help="The rule's id."),
    u: float | None = typer.Option(
        None, min=1e-12, help="Standard uncertainty in the feature's unit; of power by the budget."
    ),
    out: Path = typer.Option(Path("operating.png"), help="Picture to write."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document on stdout."),
) -> None:
    """Plot what becomes of a panel by what it truly is: accepted, measured again, or not met."""
    try:
        loaded = _load(file, config)
        chosen = next((r for r in loaded.rules.rules if r.id == rule), None)
        if chosen is None:
            known = ", ".join(r.id for r in loaded.rules.rules)
            raise ValueError(f"There is no rule {rule!r}; there are {known}.")
        found = _characteristic(chosen, loaded, u)
    except (EvidenceError, RuleError, ValueError) as error:
        progress_console.print(str(error), style="red")
        raise typer.Exit(BAD_CALL) from error
    _plot(found, chosen, loaded, out)
    if as_json:
        names = ("true_value", "accept", "undecided", "fail")
        curves = {name: getattr(found, name).tolist() for name in names}
        print_json({"rule": rule, "limit": found.limit, "guard": found.guard, **curves})
    else:
        progress_console.print(f"{out}: limit {found.limit:g}, guard band {found.guard:.3g}.")


def _load(file: Path | None, config: Path | None) -> GradingConfig:
    return load_grading(config, {} if file is None else {"rules.toml": file})


def _characteristic(rule: Rule, loaded: GradingConfig, u: float | None) -> Characteristic:
    condition = rule.condition
    limit = condition.at_least if condition.at_least is not None else condition.at_most
    if limit is None:
        raise ValueError(f"The rule {rule.id} has no numeric limit.")
    if u is None:
        if not condition.feature.endswith("_ratio"):
            raise ValueError(f"Say how uncertain {condition.feature} is, with --u.")
        u = u_of_power(loaded.budget) * limit
    values = np.linspace(limit - 6 * u, limit + 6 * u, 601)
    return characteristic(rule, u=u, false_accept=loaded.rules.false_accept, values=values)


def _plot(found: Characteristic, rule: Rule, loaded: GradingConfig, out: Path) -> None:
    figure = Figure(figsize=(8, 4.6), layout="constrained")
    axes = figure.subplots()
    axes.stackplot(
        found.true_value,
        found.accept,
        found.undecided,
        found.fail,
        colors=(GREEN, GREY, RED),
        labels=(
            "accepted",
            f"cannot tell: {rule.marginal.value}",
            f"not met: {rule.otherwise.value}",
        ),
        alpha=0.85,
    )
    axes.axvline(found.limit, color="black", lw=1.2)
    inner = found.limit + (found.guard if rule.condition.at_least is not None else -found.guard)
    axes.axvline(inner, color="black", lw=1, ls="--")
    axes.annotate(f" limit {found.limit:g}", (found.limit, 0.5), fontsize=9)
    axes.annotate(f" acceptance {inner:.3f}", (inner, 0.4), fontsize=9)
    risk = loaded.rules.false_accept
    axes.axhline(risk, color="white", lw=0.8, ls=":")
    axes.set(
        xlabel=f"true {rule.condition.feature}",
        ylabel="probability",
        xlim=(found.true_value[0], found.true_value[-1]),
        ylim=(0, 1),
        title=f"{rule.id}: at the limit {risk:.0%} are accepted falsely",
    )
    axes.legend(loc="center left", framealpha=0.9)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=130)
