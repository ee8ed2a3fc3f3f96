"""What stands at the end of each command's help: commands as they are typed. No line is longer than 58 columns."""

from __future__ import annotations

COMMAND_LINE = """\
bench run                   the embedded suite, offline
bench run --suite glue --models pythia:70m --plan
bench status                how far it is
bench report                tables, verdicts, figures
bench list methods          or suites, tasks, models, …
bench --install-completion  names on the Tab key"""

EXAMPLES = {
    "run": """\
bench run --methods all --seeds 3
bench run --suite superglue --models pythia:70m..1b --plan
bench run --set ptv2.length=40 --trials 4
bench run --sweep ptv2.length=8,32
bench run --sweep budget.epochs=5,40
bench run -c grid.toml --devices 0,2 --out results/mine""",
    "report": """\
bench report
bench report results/a results/b --format md,html
bench report --reference 'ptv2 (length=40)' --margin 0.5""",
    "status": """\
bench status --watch
bench status results/superglue --json""",
    "check": """\
bench check
bench check --models pythia:70m
bench check --plugin mine.py
bench check --suite superglue --data ~/superglue
bench check results/mine""",
    "list": """\
bench list methods
bench list models --plugin mine.py""",
    "show": """\
bench show 3f09
bench show 3f09 --json > record.json""",
    "predict": """\
bench predict 3f09 --data new.csv
bench predict 3f09 --data labelled.csv --score
bench predict 3f09 --data new.csv --to answers.jsonl""",
    "export": """\
bench export 3f09 --to adapter""",
    "push": """\
bench push results/mine --to hub:me/results --dry-run
bench push results/mine --to results.tar.xz --terms""",
}
