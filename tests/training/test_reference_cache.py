"""reference_cache.py: what was computed is found again by every release."""

from pipeline.training.reference_cache import reference_digest

FLAGS = ["--torch_dtype", "bfloat16", "--target_modules", "q_proj", "v_proj", "--beta", "0.1", "--seed", "42"]


def test_the_name_of_the_folder_is_pinned_and_the_loss_has_no_part_in_it(tmp_path):
    files = [tmp_path / name for name in ("m.sha256", "sft.sha256")]
    for file in files:
        file.write_text(f'{{"id": "{file.name}"}}\n', encoding="utf-8")
    levers = ["packed_pairs", "cached_reference"]
    assert reference_digest("2026-01-01", 8, levers, FLAGS, [], *files) == "a5d5cf77a412"
    assert reference_digest("2026-01-01", 8, levers, [*FLAGS, "--loss_type", "ipo"], [], *files) == "a5d5cf77a412"
    assert reference_digest("2026-01-01", 4, levers, FLAGS, [], *files) != "a5d5cf77a412"


def test_other_code_keeps_another_folder(tmp_path):
    manifest = tmp_path / "m.sha256"
    manifest.touch()
    first, other = (reference_digest("2026-01-01", 8, [], FLAGS, [f"plugins/a.py {n}"], manifest) for n in "12")
    assert first != other
