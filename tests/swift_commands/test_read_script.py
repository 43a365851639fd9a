"""read_command.py on commands as people have them: nothing of a script is lost, and nothing misread in silence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.swift_commands.flag_knowledge import PINNED
from pipeline.swift_commands.read_command import read_command
from pipeline.swift_commands.translate import translate
from tests.support import random_inputs  # noqa: F401  (how many inputs)
from tools.explain_command import describe

START = "swift rlhf --model m "
BROKEN = "ends the command for a shell: swift did not see"


def flags_of(text: str) -> dict[str, list[str]]:
    """Return the flags of a command without its model."""
    return {flag: values for flag, values in read_command(text).flags.items() if flag != "model"}


@pytest.mark.parametrize(
    "rest",
    [
        "\\\n --beta 0.2",
        "\\ \n --beta 0.2",
        "\\ # small\n --beta 0.2",
        "\\\n # small\n --beta 0.2",
        "\\\n # --seed 1 \\\n --beta 0.2",
        "\n --beta 0.2",
        "\n\n# small\n --beta 0.2",
        "\\\r\n --beta 0.2\r\n",
        "--beta=0.2",
        "--beta '0.2'",
        '--beta "0.2"',
        "--beta 0.2 # small",
        "--beta 0.2 `# small` \\\n",
        "--beta 0.2 2>&1 | tee log",
        "--beta 0.2 > log.txt 2>&1 &",
        "--beta 0.2 &> log; echo --seed 1",
        "> log --beta 0.2",
        "--beta 0.2 && echo --seed 1",
        "--beta 0.2 \\\n\n# --seed 1\necho done",
        "--beta 0.1 --beta 0.2",
        "--be\\\nta 0.2",
    ],
)
def test_a_flag_is_read_however_its_line_is_written(rest):
    assert flags_of(START + rest) == {"beta": ["0.2"]}


@pytest.mark.parametrize(
    ("script", "value"),
    [
        ("B=0.2\nswift rlhf --beta $B", ["0.2"]),
        ("export B=0.2\nswift rlhf --beta ${B}", ["0.2"]),
        ("B='0.2'; swift rlhf --beta \"$B\"", ["0.2"]),
        ("swift rlhf --beta ${B:-0.2}", ["0.2"]),
        ("A=0\nB=$A.2\nswift rlhf --beta=$B", ["0.2"]),
        ("B=0\nB+=.2\nswift rlhf --beta $B", ["0.2"]),
        ("B='0.1 0.2'\nswift rlhf --beta $B", ["0.1", "0.2"]),
        ("B='0.1 0.2'\nswift rlhf --beta \"$B\"", ["0.1 0.2"]),
        ('B=(0.1 # low\n 0.2)\nswift rlhf --beta "${B[@]}"', ["0.1", "0.2"]),
        ('args=(\n swift rlhf\n --beta 0.2\n)\n"${args[@]}"', ["0.2"]),
        ("swift rlhf --beta '$B'", ["$B"]),
        ("cat > s.txt <<EOF\ndon't\nB=9\nEOF\nB=0.2\nswift rlhf --beta $B", ["0.2"]),
    ],
)
def test_a_variable_set_above_the_command_has_its_value(script, value):
    command = read_command(script)
    assert (command.flags["beta"], command.unknown) == (value, {})


@pytest.mark.parametrize(
    "script",
    [
        "swift rlhf --beta $B",
        "B=$(cat beta)\nswift rlhf --beta $B",
        "if x; then\n B=1\nfi\nswift rlhf --beta $B",
        "B=1\n[ -n x ] && B=2\nswift rlhf --beta $B",
        "for B in 1 2; do\n swift rlhf --beta $B\ndone",
    ],
)
def test_a_variable_that_the_script_alone_does_not_say_is_named(script):
    assert read_command(script).unknown == {"$B": "$B"}


@pytest.mark.parametrize(
    ("script", "line"),
    [
        (f"{START}\n --beta 0.2", f"line 1: a line without `\\`, … {BROKEN} --beta."),
        (f"{START}\\ # c\n --beta 0.2", f"line 1: … {BROKEN} --beta."),
        (f"{START}\\\n # c\n --beta 0.2", f"line 2: … {BROKEN} --beta."),
        (f"{START}--seed 1\\\n--beta 0.2", f"line 1: … {BROKEN} --beta."),
        (f"{START}\\\n# --seed 1 \\\n --beta 0.2", "commented out, and not read: --seed 1"),
        (f"{START}\\\r\n --beta 0.2", "the lines end with CRLF"),
        (f"{START}--beta 1 --beta 2", "--beta stands twice: the last counts, and not 1"),
        (f"{START}--quant_bit 4", "--quant_bit is read as --quant_bits"),
        (f"NPROC_PER_NODE=4\n{START}", "NPROC_PER_NODE is set without export"),
    ],
)
def test_a_form_that_a_shell_reads_otherwise_is_named(script, line):
    first, _, last = line.partition("…")
    assert [said for said in read_command(script).remarks if said.startswith(first) and last in said] != []


def test_what_stands_beside_the_command_is_named():
    script = f"set -e\nconda activate x\nLR=1\nsrun -N 2 nohup {START}> log 2>&1 | tee a b &\nswift rlhf --seed 2"
    assert read_command(script).beside == [
        "before the command: srun -N 2 nohup",
        "after the command: > log 2>&1",
        "after the command: | tee a b",
        "line 1: set -e",
        "line 2: conda activate x",
        "line 5: swift rlhf --seed 2",
        "a variable that the command does not use: LR=1",
    ]


@pytest.mark.parametrize(
    "start",
    [
        "swift rlhf",
        "~/env/bin/swift rlhf",
        "A=1 env B=2 nohup swift rlhf",
        "python -m swift.cli.rlhf",
        "torchrun --nproc_per_node 2 /x/swift/cli/rlhf.py",
        "cd x && swift rlhf",
    ],
)
def test_swift_is_found_however_it_is_started(start):
    assert read_command(f"{start} --beta 0.2").flags == {"beta": ["0.2"]}


@pytest.mark.parametrize(
    ("script", "line"),
    [
        ("swift sft --model m", "it is swift sft: SFT is a stage before DPO here: sft.enabled"),
        ("megatron rlhf --load m", "it is megatron: Megatron's trainer is not used here"),
        ("swift infer --model m", "it is swift infer: explained is swift rlhf alone"),
        ("swift rlhf --rlhf_type grpo", "--rlhf_type is grpo; this project trains dpo, simpo, cpo, orpo, kto"),
        ("swift rlhf —beta 1", "'—beta' begins with a dash that is not `--`; write --"),
        ("echo\nswift rlhf --system 'x", "line 2: No closing quotation"),
    ],
)
def test_what_is_not_such_a_command_is_refused_with_what_to_do(script, line):
    with pytest.raises(ValueError, match="not a swift rlhf command for pairs: ") as stopped:
        read_command(script)
    assert line in str(stopped.value)


words = st.text("ab9/.#=é%@:,-", min_size=1, max_size=5).filter(lambda word: not word.startswith(("-", "#")))
texts = st.one_of(words, st.text("ab \t'\"$`\\#;|&<>()\n", max_size=6))
names = st.sampled_from(["beta", "seed", "dataset", "system", "lora_rank", "wieght", "max_length"])
commands = st.lists(st.tuples(names, st.lists(texts, max_size=2)), max_size=6, unique_by=lambda flag: flag[0])
breaks = st.sampled_from([" ", "  ", " \\\n  ", "\t\\\n", " \\ \n ", " \\ # note\n ", " `# note` "])
before_flags = breaks | st.sampled_from(["\n", "\n\n", "\n # note\n", " \\\n # note\n"])
endings = st.sampled_from(["", " \\\n", " # note", " > log 2>&1 &", " 2>&1 | tee 'a b'", " && echo x", "\necho x"])


def quoted(draw: st.DrawFn, text: str) -> str:
    """Return a word of a shell that stands for a text."""
    if draw(st.booleans()) and "'" not in text:
        return f"'{text}'"
    if draw(st.booleans()) or not set(text).isdisjoint(" \t\n") or not text:
        return '"' + "".join(f"\\{sign}" if sign in '"$`\\' else sign for sign in text) + '"'
    return "".join(f"\\{sign}" if sign in "'\"$`\\#;|&<>()" else sign for sign in text)


@st.composite
def scripts(draw: st.DrawFn) -> tuple[str, dict[str, list[str]], str]:
    """Return a script, the flags of its command, and what follows the command."""
    flags = dict(draw(commands))
    script, variables = "A=1 swift rlhf", ""
    for flag, values in flags.items():
        written = [quoted(draw, value) for value in values]
        if written and draw(st.booleans()):
            variables += f"V_{flag}={written[-1]}\n"
            written[-1] = f'"$V_{flag}"'
        script += draw(before_flags) + f"--{flag}"
        if written and draw(st.booleans()):
            script += f"={written.pop(0)}"
        script += "".join(draw(breaks) + word for word in written)
    ending = draw(endings)
    script = variables + script + ending
    return (script.replace("\n", "\r\n") if draw(st.booleans()) else script), flags, ending


@given(scripts())
def test_every_word_of_a_command_is_in_its_flags_or_named(built):
    script, flags, ending = built
    command = read_command(script)
    assert command.flags == flags
    assert (command.environment, command.unknown) == ({"A": "1"}, {})
    named = " ".join(command.beside)
    left = ending.partition("#")[0].replace("\\", "").replace("&&", "").split()
    assert [word for word in left if word not in named] == []


@given(scripts())
def test_every_flag_is_explained_and_is_a_setting_or_named(built):
    script, flags, _ = built
    command = read_command(script)
    explained = "".join("".join(describe(command, PINNED, "")).split())
    said = ["".join(f"--{flag}{''.join(values)}".split()) for flag, values in flags.items()]
    assert [words for words in said if words not in explained] == []
    translation = translate(command, PINNED, "x")
    left = "".join("".join(translation.missing).split())
    default = {"beta": "0.1", "seed": "42", "lora_rank": "8", "system": "", "dataset": ""}
    settings = translation.settings.get("dpo", {}) | translation.settings.get("data", {})
    settings = settings | {"dataset": settings.get("raw")}
    for flag, values in flags.items():
        assert "".join(f"--{flag}".split()) in left or settings.get(flag) or values == [default.get(flag)]
