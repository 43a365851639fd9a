"""The published tiny model as GGUF: read back number by number, and asked in llama.cpp."""

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from types import SimpleNamespace

import pytest

from pipeline.export.chat_template import freeze_template
from pipeline.files.json_lines import read_json_lines
from pipeline.gates import read_gates
from pipeline.models.dequantised_folder import write_plain
from pipeline.models.model_weights import INDEX, read_tensors
from pipeline.models.render_chat import load_prompt_renderer, said_of
from pipeline.models.weight_file import read_bytes, write_weights
from tests.support.project import ROOT
from tests.support.published_template import TEXT

pytestmark = [
    pytest.mark.training_environment,
    pytest.mark.ci("an exported model whose experts, tokens or prompts are others than those of the training"),
]

PROMPT = {"date": "2026-01-01", "reasoning_effort": "medium"}  # of the published run
NAMES = {"gguf_experts", "gguf_tensors"}


@pytest.fixture(scope="module", autouse=True)
def serving():
    """Let llama.cpp and its converter be imported, as envs/with-serving does."""
    (site,) = ROOT.glob(".venv-serving/lib/python3*/site-packages")
    sys.path.append(str(site))
    yield
    sys.path.remove(str(site))


@pytest.fixture(scope="module")
def published(template):
    """Return the files of the published run that an export reads, and the answers to compare with."""
    run = template / "results" / "tiny"
    val, answers = (read_json_lines(run / name) for name in ("dpo/val.jsonl", "infer/predictions.jsonl"))
    return SimpleNamespace(model=run / "merged", val=run / "dpo" / "val.jsonl", pairs=val, answers=answers, folder=run)


@pytest.fixture(scope="module")
def exported(published, tmp_path_factory):
    """Export the published model by the script, as the rule does, and return the folder."""
    out = tmp_path_factory.mktemp("export")
    manifest = published.folder / "merged.sha256"
    words = ["--settings", json.dumps({"prompt": PROMPT}), "--name", "tiny", "--out", str(out)]
    words += ["--model", str(published.model), "--manifest", str(manifest), "--val", str(published.val)]
    command = ["envs/with-serving", "python", "-m", "scripts.export_gguf", *words]
    path = f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"PATH": path}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def serve(file):
    """Start llama.cpp's server on loopback, and return a function that posts to it; it ends with the function."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path, params.n_ctx, params.n_parallel, params.warmup = str(file), 2048, 1, False
    params.cpuparams.n_threads = 2
    server = xllamacpp.Server(params)

    def post(path, **body):
        request = urllib.request.Request(f"{server.listening_address}{path}", json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    return post


def ids_of(post, pair):
    """Return the token ids that the chat endpoint makes of the prompt of a pair."""
    said = said_of(pair)
    prompt = post("/apply-template", **said | {"messages": said["messages"][:-1]})["prompt"]
    return post("/tokenize", content=prompt, add_special=True, parse_special=True)["tokens"]


@pytest.fixture(scope="module")
def post(exported):
    return serve(exported / "tiny.gguf")


@pytest.fixture(scope="module")
def differing(published):
    """Return a function that says which gates of the tensors fail, for a GGUF of the published model, or another."""
    from gguf import GGUFReader

    from pipeline.export.gguf_gates import judge_tensors

    def judge(file, model=published.model):
        return {row["gate"] for row in judge_tensors(GGUFReader(file), model) if not row["passed"]}

    return judge


def convert_model(model, file):
    """Write a model as GGUF."""
    from pipeline.export.convert import convert

    convert(model, "tiny", freeze_template(model, PROMPT), file)
    return file


def test_every_gate_of_the_export_passes(exported):
    rows = read_gates(exported / "gates.json")
    assert [row["gate"] for row in rows] == [
        *("model_files", "gguf_experts", "gguf_tensors", "gguf_tokenizer", "gguf_template", "gguf_prompts")
    ]
    assert all(row["passed"] for row in rows)


def test_llama_cpp_gives_the_answers_of_swift_infer(post, published):
    # Seen: all 120. llama.cpp rounds the inputs of packed products to 8 bits, so that a near tie may fall otherwise.
    same = 0
    for pair, answer in zip(published.pairs, published.answers, strict=True):
        said = said_of(pair) | {"messages": pair["messages"][:-1]}
        choice = post("/v1/chat/completions", **said, temperature=0, max_tokens=32)["choices"][0]
        same += (choice["message"]["content"], choice["finish_reason"]) == (answer["final"], answer["finish"])
    assert same >= 0.95 * len(published.answers)


def test_the_chat_endpoint_makes_the_prompts_of_the_training(post, published):
    render = load_prompt_renderer(published.model, PROMPT)
    assert [ids_of(post, pair) for pair in published.pairs] == [render(pair) for pair in published.pairs]
    assert any("chat_template_kwargs" in pair for pair in published.pairs)


def test_a_folders_own_template_makes_the_prompts_of_the_training_in_llama_cpp(published, tmp_path):
    model = shutil.copytree(published.model, tmp_path / "model")
    (model / "chat_template.jinja").write_text(TEXT, encoding="utf-8")
    prompt = {"date": "2020-02-02", "reasoning_effort": "high"}
    from pipeline.export.convert import convert

    convert(model, "tiny", freeze_template(model, prompt), tmp_path / "tiny.gguf")
    render, post = load_prompt_renderer(model, prompt), serve(tmp_path / "tiny.gguf")
    pairs = published.pairs[:4]
    assert [ids_of(post, pair) for pair in pairs] == [render(pair) for pair in pairs]


def test_the_same_model_gives_the_same_bytes_with_another_card(exported, published, tmp_path):
    model = shutil.copytree(published.model, tmp_path / "model")
    (model / "README.md").write_text("---\nlicense: other\n---\n", encoding="utf-8")
    assert convert_model(model, tmp_path / "again.gguf").read_bytes() == (exported / "tiny.gguf").read_bytes()


def test_code_that_the_folder_names_is_not_run(published, exported, tmp_path):
    model = shutil.copytree(published.model, tmp_path / "model")
    (model / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n", encoding="utf-8")
    for name, auto_map in (
        ("config.json", {"AutoConfig": "own.C"}),
        ("tokenizer_config.json", {"AutoTokenizer": ["own.T", None]}),
    ):
        settings = json.loads((model / name).read_text(encoding="utf-8")) | {"auto_map": auto_map}
        (model / name).write_text(json.dumps(settings), encoding="utf-8")
    assert convert_model(model, tmp_path / "tiny.gguf").read_bytes() == (exported / "tiny.gguf").read_bytes()
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("reverse", [False, True], ids=["scales-first", "reversed"])
def test_tensors_in_any_order_give_the_same_bytes(exported, published, tmp_path, reverse):
    model = shutil.copytree(published.model, tmp_path / "model", ignore=shutil.ignore_patterns("*.safetensors", INDEX))
    stored = read_tensors(published.model)
    names = sorted(stored, reverse=True) if reverse else sorted(stored, key=lambda name: name.endswith("_blocks"))
    pieces = (piece for name in names for piece in read_bytes(stored[name]))
    write_weights(model / "model.safetensors", {name: stored[name].kind for name in names}, pieces)
    assert convert_model(model, tmp_path / "tiny.gguf").read_bytes() == (exported / "tiny.gguf").read_bytes()


def test_a_model_in_bfloat16_is_exported_as_that(published, tmp_path, differing):
    (tmp_path / "plain").mkdir()
    write_plain(published.model, tmp_path / "plain")
    file = convert_model(tmp_path / "plain", tmp_path / "tiny.gguf")
    assert differing(file, tmp_path / "plain") == set()


@pytest.mark.parametrize(
    ("tensor", "byte", "gate"),
    [
        ("blk.0.ffn_gate_exps.weight", 0, "gguf_experts"),  # a scale
        ("blk.0.ffn_up_exps.weight", 1, "gguf_experts"),  # two codes
        ("blk.1.ffn_down_exps.weight", -1, "gguf_experts"),
        ("blk.1.ffn_down_exps.bias", 0, "gguf_tensors"),
        ("blk.0.attn_q.weight", 0, "gguf_tensors"),
        ("blk.1.attn_sinks.weight", 0, "gguf_tensors"),
        ("token_embd.weight", -1, "gguf_tensors"),
    ],
)
def test_one_bit_that_differs_fails_its_gate(exported, tmp_path, differing, tensor, byte, gate):
    from gguf import GGUFReader

    file = shutil.copyfile(exported / "tiny.gguf", tmp_path / "tiny.gguf")
    (found,) = (one for one in GGUFReader(file).tensors if one.name == tensor)
    content = bytearray(file.read_bytes())
    content[found.data_offset + (byte % found.n_bytes)] ^= 1
    file.write_bytes(content)
    assert differing(file) == {gate}


@pytest.mark.parametrize("name", ["model.layers.1.self_attn.sinks", "model.layers.0.mlp.experts.down_proj_blocks"])
def test_a_tensor_that_the_gguf_lacks_fails_its_gate(exported, published, name):
    from gguf import GGUFReader

    from pipeline.export.gguf_gates import judge_tensors

    reader = GGUFReader(exported / "tiny.gguf")
    part = "attn_sinks" if "sinks" in name else "ffn_down_exps.weight"
    reader.tensors = [tensor for tensor in reader.tensors if part not in tensor.name]
    failed = [row for row in judge_tensors(reader, published.model) if not row["passed"]]
    assert len(failed) == 1
    assert name in failed[0]["value"] or "model.layers.0" in failed[0]["value"]
