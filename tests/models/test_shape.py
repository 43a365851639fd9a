"""models/shape.py: the numbers of weights of a gpt-oss, and of a LoRA on it."""

import json

import pytest

from pipeline.models.shape import OF_FOLDER, PUBLISHED, PUBLISHED_120B, count_adapter, find_shape
from tests.support.planned import EXPERTS, settings


@pytest.fixture
def folder(tmp_path):
    """Return a function that writes a config.json of the published shape with changes, and returns the section."""

    def write(**changes) -> dict:
        sizes = [24, 2880, 2880, 32, 4, 64, 8, 64, 201_088]
        config = dict(zip(OF_FOLDER, sizes, strict=True)) | changes
        (tmp_path / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not None}))
        return {"folder": str(tmp_path)}

    return write


def test_the_published_shape_has_the_weights_of_the_model_that_was_measured():
    assert PUBLISHED.parameters == 20_914_757_184  # benchmarks/measure_gpu_step.py, and transformers' own count
    assert round(PUBLISHED.active / 1e9, 1) == 3.6  # OpenAI's model card


def test_a_lora_has_the_weights_that_peft_gave_it():
    dpo = settings()["dpo"]
    assert count_adapter(PUBLISHED, dpo) == 3_981_312
    assert count_adapter(PUBLISHED, dpo | {"target_parameters": EXPERTS}) == 92_454_912


def test_a_lora_of_some_modules_is_smaller():
    dpo = settings()["dpo"] | {"target_modules": ["q_proj", "v_proj"]}
    assert count_adapter(PUBLISHED, dpo) == 8 * 24 * (2880 + 4096 + 2880 + 512)


def test_the_tiny_model_has_the_weights_that_the_log_of_its_building_says():
    assert find_shape(settings("")["model"]).parameters == 2_082_216


def test_the_shape_is_read_from_the_folder_where_it_is(folder):
    shape = find_shape(folder(num_hidden_layers=36, num_local_experts=128))
    assert (shape.layers, shape.experts) == (36, 128)
    assert shape.parameters / 1e9 == pytest.approx(116.8, abs=0.1)  # gpt-oss-120b


@pytest.mark.parametrize(
    ("folder", "shape"),
    [
        ("models/nowhere", PUBLISHED),
        ("models/gpt-oss-20b", PUBLISHED),
        ("models/gpt-oss-120b", PUBLISHED_120B),
        ("openai/GPT-OSS-120B-copy", PUBLISHED_120B),
        ("120b/gpt-oss-20b", PUBLISHED),
    ],
)
def test_without_a_folder_the_published_shape_of_its_name_is_taken(folder, shape):
    assert find_shape({"folder": folder}) is shape


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"vocab_size": None}, "config.json: vocab_size missing; fetch the model again"),
        ({"head_dim": "64"}, "config.json: head_dim is '64', not a count; fetch the model again"),
    ],
)
def test_a_config_that_does_not_say_the_shape_is_named_with_the_key(folder, changes, said):
    with pytest.raises(ValueError, match=said):
        find_shape(folder(**changes))


def test_a_config_that_is_no_json_is_named(tmp_path):
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ValueError, match=r"config\.json: not a JSON object; fetch the model again"):
        find_shape({"folder": str(tmp_path)})
