"""`python -m train tune SPACE --data DIR --out DIR`."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Final

from eoltag.errors import SettingsError
from train.cli import Answer, Verb

TEACHING: Final = """\
SPACE.toml has a table [base] of settings of `fit` and, in [space.KEY], what may be tried for each searched one: low and
high (log = true), choices, or value; `when` makes it depend on others. conf/train/tune_*.toml are spaces to begin with.
Trial 0 is the base, on the same split and seed as all others, so that the report says whether the search beat it.
Optuna's TPE proposes the rest; a trial that falls behind is ended early; one that fails is a row that says why.
Everything is written to DIR of --out after each trial: study.db, trials.csv, and best.toml, a config that `fit`
takes as it is; at the end index.html with plots, and tune.json. The same command goes on after a kill, repeats no
trial that has ended, and with a larger --trials searches further.

examples:
  python -m train tune conf/train/tune_demo.toml --data artifacts/sample --out tuned/demo --trials 12
  python -m train tune conf/train/tune_mobilenet.toml --data photos --weights mobilenet_7_5_224.h5 --out tuned/a
  python -m train tune conf/train/tune_decathlon.toml --data photos --out tuned/b --trials 40 --confirm 5
  python -m train fit tuned/a/best.toml --data photos --out models/tuned
"""
MOST_TRIALS: Final = 100_000
MOST_SEEDS: Final = 100


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("space", type=Path, metavar="SPACE.toml", help="what to search; see conf/train/tune_*.toml")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="one folder of images per label")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of this search, new or its own")
    parser.add_argument(
        "--trials",
        type=int,
        default=20,
        metavar="N",
        help="trials in all, earlier calls counted; 1 to 100,000 (default 20)",
    )
    parser.add_argument("--timeout", type=float, metavar="S", help="no trial begins after so many seconds")
    parser.add_argument(
        "--confirm", type=int, default=0, metavar="R",
        help="then train the best and the base with R fresh seeds, to tell a gain from luck; 0 to 100 (default 0)",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, metavar="N", help="of split, trials and trainings (default: the base's)")
    parser.add_argument(
        "--weights", metavar="PATH", help="of the base network: imagenet, none, or a .h5 or .keras file"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change one setting of [base]; repeatable"
    )


def _run(options: Namespace) -> Answer:
    for name, value, low, high in (
        ("--trials", options.trials, 1, MOST_TRIALS),
        ("--confirm", options.confirm, 0, MOST_SEEDS),
        ("--timeout", options.timeout, 0, float("inf")),
    ):
        if value is not None and not low <= value <= high:
            raise SettingsError(f"{name}: wanted {low} or more, at most {high}. Received: {value}")
    from train.tune.space import read_search

    search = read_search(options.space, options.set, seed=options.seed, weights=options.weights)
    from train.tune.run import tune

    summary = tune(
        search, options.data, options.out,
        trials=options.trials, timeout_s=options.timeout, confirm_seeds=options.confirm,
    )  # fmt: skip
    counts = ", ".join(f"{count} {state}" for state, count in summary["trials"].items())
    best = summary["best"]
    text = (
        f"{counts}; best is trial {best['trial']}: val_accuracy {best['val_accuracy']:.4f}, "
        f"val_loss {best['val_loss']:.4f}\n{summary['verdict']['text']}\n"
        f"{summary['config']}: its settings, for fit\n{summary['out']}/index.html: the report"
    )
    return Answer(summary, text)


VERB: Final = Verb("search for the settings of fit that suit a folder of images", TEACHING, _arguments, _run)
