"""The command line: every verb of ``zonkeur``, and nothing else."""

from __future__ import annotations

import typer

from api.commands import (
    access,
    calibrations,
    care,
    database,
    el,
    export,
    grade,
    import_register,
    iv,
    regrade,
    rules,
    run,
    simulate,
    train_el,
)

app = typer.Typer(
    name="zonkeur",
    help="The test station that gives used solar panels a second life.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run")(run.run)
app.command("serve")(run.serve)
app.command("simulate")(simulate.simulate)
app.command("iv")(iv.iv)
app.command("el")(el.el)
app.command("cells")(el.cells)
app.command("grade")(grade.grade)
app.command("calibrations")(calibrations.calibrations)
app.command("regrade")(regrade.regrade)
app.command("train-el")(train_el.train_el)
app.command("backup")(care.backup)
app.command("restore")(care.restore)
app.command("export")(export.export)
app.command("import")(import_register.import_register)
app.command("verify")(database.verify)
app.add_typer(database.db, name="db")
app.add_typer(rules.rules, name="rules")
app.add_typer(access.user, name="user")
app.add_typer(access.token, name="token")


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
