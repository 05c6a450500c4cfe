"""Starting is light: neither `import faultlens` nor `faultlens --help` loads a framework."""

import subprocess
import sys

import faultlens

HEAVY = ("torch", "transformers", "numpy", "pandas", "scipy", "sae_lens", "plotly")
REPORT = f"print([m for m in {HEAVY!r} if m in sys.modules])"


def modules_after(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\n{REPORT}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip().splitlines()[-1]


def test_importing_the_package_loads_no_framework() -> None:
    assert modules_after("import faultlens") == "[]"


def test_help_loads_no_framework() -> None:
    code = (
        "from faultlens.cli.main import main\n"
        "sys.argv = ['faultlens', '--help']\n"
        "try:\n    main()\nexcept SystemExit as leave:\n    assert not leave.code"
    )
    assert modules_after(code) == "[]"


def test_an_audit_of_answers_loads_no_model_library() -> None:
    code = (
        "from faultlens.auditing.config import AuditConfig\n"
        "from faultlens.auditing.study import audit_answers\n"
        "from faultlens.corpus.answers import Answers\n"
        "rows = [{'prompt': str(i), 'target': 'a', 'generated': 'ab'[i % 2]} for i in range(20)]\n"
        "config = AuditConfig.of(baselines=False)\n"
        "assert audit_answers(Answers.from_records(rows), config=config).failures == 10"
    )
    assert modules_after(code) == "['numpy', 'pandas', 'scipy']"


def test_the_check_would_notice_a_framework() -> None:
    assert "numpy" in modules_after("import faultlens.stats.effects")


def test_public_names_are_there_and_the_verbs_are_functions() -> None:
    for name in faultlens.__all__:
        assert getattr(faultlens, name) is not None
    # The rooms have names of their own: loading them takes neither verb's.
    import faultlens.auditing.study as auditing
    import faultlens.profiling.study as profiling

    assert callable(auditing.audit_task)
    assert callable(profiling.profile_tables)
    assert callable(faultlens.audit)
    assert callable(faultlens.profile)


EDITS = {"Add", "Clamp", "Mean", "Resample", "Scale", "Zero"}


def test_what_a_user_starts_from_is_a_handful_of_names() -> None:
    """Verbs, their configs and inputs, results to read back; the rest is one import deeper."""
    assert set(faultlens.__all__) - EDITS == {
        "Audit", "AuditConfig", "LensConfig", "Profile", "ProfileConfig", "TrainConfig",
        "UserError", "audit", "audit_tasks", "intervene", "load", "profile", "read_answers",
        "read_corpus", "read_task", "seven_categories", "tasks", "train",
    }  # fmt: skip
