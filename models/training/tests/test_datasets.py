"""Both layouts on files of a few pixels, and what cannot be paired is said."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from radar_training.datasets import Condition, DatasetError, PartFile, conditions, index_parts, load_part, read_depth

SIDE = 48


def save(path: Path, pixels: NDArray[np.generic]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".tiff":
        tifffile.imwrite(path, pixels, photometric="minisblack", planarconfig="contig")
    else:
        Image.fromarray(pixels).save(path)


def picture() -> NDArray[np.uint8]:
    return np.full((SIDE, SIDE, 3), 90, np.uint8)


def block_on_table() -> NDArray[np.float32]:
    """A block 2 cm high, 24 pixels of 1 mm wide, on a table half a metre away."""
    v, u = np.mgrid[:SIDE, :SIDE]
    z = np.full((SIDE, SIDE), 0.5)
    z[12:36, 12:36] -= 0.02
    return np.stack([u * 0.001, v * 0.001, z], 2).astype(np.float32)


def write_mvtec(root: Path) -> None:
    for folder in ("gear/train/good", "gear/validation/good", "gear/test/good", "gear/test/dent", "bolt/train/good"):
        for stem in ("000", "001"):
            save(root / folder / "rgb" / f"{stem}.png", picture())
            save(root / folder / "xyz" / f"{stem}.tiff", block_on_table())
            if "/test/" in folder:
                save(root / folder / "gt" / f"{stem}.png", picture()[..., 0] * ("dent" in folder))


def write_eyecandies(root: Path, depth: NDArray[np.uint16]) -> None:
    for split, stems in (
        ("train", ("000", "001")),
        ("val", ("00",)),
        ("test_public", ("00", "01")),
        ("test_private", ("000",)),
    ):
        for stem in stems:
            data = root / "Lollipop" / split / "data"
            for light in range(6):
                save(data / f"{stem}_image_{light}.png", np.full((SIDE, SIDE, 3), 40 * light, np.uint8))
            save(data / f"{stem}_depth.png", depth)
            (data / f"{stem}_info_depth.yaml").write_text("normalization:\n  max: 6.0\n  min: 4.5\n")
            np.savetxt(data / f"{stem}_pose.txt", np.diag([1.0, -1, -1, 1]) + np.eye(4, k=3))
            if split != "test_private":
                save(data / f"{stem}_mask.png", picture()[..., 0] * np.uint8(split == "test_public" and stem == "00"))


def block_in_depth() -> NDArray[np.uint16]:
    """Of the range 4.5 to 6: table at 5.5, block at 5; a tenth of that in metres."""
    depth = np.full((SIDE, SIDE), round(65535 * 2 / 3), np.uint16)
    depth[12:36, 12:36] = round(65535 / 3)
    return depth


def test_parts_in_mvtec_layout_come_in_a_defined_order_with_the_daemons_ids(tmp_path: Path) -> None:
    write_mvtec(tmp_path)
    parts = index_parts(tmp_path)
    assert [part.part_id for part in parts] == [
        f"{folder}/{stem}"
        for folder in ("bolt/train/good", "gear/train/good", "gear/validation/good", "gear/test/dent", "gear/test/good")
        for stem in ("000", "001")
    ]
    dent = parts[6]
    assert (dent.category, dent.split, dent.label) == ("gear", "test", "dent")
    assert dent.mask == tmp_path / "gear/test/dent/gt/000.png"
    assert parts[0].mask is None and parts[0].depth is None


def test_a_category_by_itself_is_a_dataset_without_a_prefix(tmp_path: Path) -> None:
    write_mvtec(tmp_path)
    first = index_parts(tmp_path / "gear")[0]
    assert (first.part_id, first.category) == ("train/good/000", "gear")


def test_names_are_in_natural_order(tmp_path: Path) -> None:
    for stem in ("10", "2", "1"):
        save(tmp_path / "gear/train/good/rgb" / f"{stem}.png", picture())
    assert [part.part_id[-2:] for part in index_parts(tmp_path)] == ["/1", "/2", "10"]


def test_files_are_paired_by_stem_so_that_a_missing_one_shifts_nothing(tmp_path: Path) -> None:
    write_mvtec(tmp_path)
    (tmp_path / "gear/train/good/xyz/000.tiff").unlink()
    first, second = [part for part in index_parts(tmp_path) if part.part_id.startswith("gear/train")]
    assert first.rgb is not None and first.xyz is None
    assert second.rgb is not None and second.xyz is not None
    assert second.xyz.stem == second.rgb.stem == "001"
    with pytest.raises(DatasetError, match="gear/train/good/000: has no points"):
        load_part(first)


def test_what_cannot_be_paired_is_an_error_that_says_where(tmp_path: Path) -> None:
    write_mvtec(tmp_path)
    save(tmp_path / "gear/test/dent/gt/007.png", picture()[..., 0])
    with pytest.raises(DatasetError, match=r"007\.png: a mask of no part"):
        index_parts(tmp_path)
    (tmp_path / "gear/test/dent/gt/007.png").unlink()
    save(tmp_path / "gear/train/good/rgb/001.jpg", picture())
    with pytest.raises(DatasetError, match="two files for one part"):
        index_parts(tmp_path)


def test_no_parts_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no parts; expected"):
        index_parts(tmp_path)
    with pytest.raises(DatasetError, match="cannot be listed"):
        index_parts(tmp_path / "absent")


def test_a_part_in_mvtec_layout_is_loaded_without_its_table(tmp_path: Path) -> None:
    write_mvtec(tmp_path)
    part = load_part(index_parts(tmp_path)[0])
    assert part.pixels.shape == (224, 224, 3) and part.label == "good"
    # The 48 pixels lie in the middle of a square of 100: 24 of them become 24 * 2.24 rows and columns.
    assert len(part.points) == len(part.raster) == len({int(i) for i in part.raster})
    assert {int(i) // 224 for i in part.raster} == set(range(86, 139))
    assert np.allclose(part.points[:, 2], 0.48)


def test_sizes_that_differ_and_broken_files_are_errors(tmp_path: Path) -> None:
    write_mvtec(tmp_path)
    first, second = index_parts(tmp_path)[:2]
    assert first.xyz is not None and second.xyz is not None
    save(first.xyz, block_on_table()[:40])
    with pytest.raises(DatasetError, match=r"points are \[40, 48, 3\], expected \[48, 48, 3\]"):
        load_part(first)
    second.xyz.write_bytes(b"no tiff")
    with pytest.raises(DatasetError, match="bolt/train/good/001: cannot be read"):
        load_part(second)


def test_eyecandies_are_indexed_with_their_left_light_and_a_label_from_the_mask(tmp_path: Path) -> None:
    write_eyecandies(tmp_path, block_in_depth())
    parts = index_parts(tmp_path)
    assert [part.part_id for part in parts] == [
        "Lollipop/train/good/000",
        "Lollipop/train/good/001",
        "Lollipop/validation/good/00",
        "Lollipop/test/good/01",
        "Lollipop/test/bad/00",
    ]
    data = tmp_path / "Lollipop/test_public/data"
    assert parts[4] == PartFile(
        "Lollipop/test/bad/00",
        "Lollipop",
        "test",
        "bad",
        data / "00_image_4.png",
        None,
        data / "00_depth.png",
        data / "00_mask.png",
    )


def test_a_point_of_eyecandies_is_where_the_pinhole_puts_it(tmp_path: Path) -> None:
    depth = np.zeros((512, 512), np.uint16)
    depth[100, 300] = 13107
    save(tmp_path / "7_depth.png", depth)
    (tmp_path / "7_info_depth.yaml").write_text("normalization: {min: 4.0, max: 6.5}\n")
    points = read_depth(tmp_path / "7_depth.png")
    # 13107 / 65535 is a fifth: 4.5 deep. (300 - 256) / 711.11 * 4.5 = 0.27844, (100 - 256) / 711.11 * 4.5 = -0.98719.
    assert points[100, 300] == pytest.approx([0.027844, -0.098719, 0.45], abs=1e-6)
    assert points[256, 256] == pytest.approx([0, 0, 0.4], abs=1e-7)


def test_an_eyecandies_part_is_loaded_without_its_table(tmp_path: Path) -> None:
    write_eyecandies(tmp_path, block_in_depth())
    part = load_part(index_parts(tmp_path)[0])
    assert np.allclose(part.points[:, 2], 0.5, atol=1e-4)
    assert {int(i) // 224 for i in part.raster} == set(range(86, 139))
    assert (part.pixels[112, 112] == 160).all()


def test_eyecandies_files_that_say_nothing_usable_are_errors(tmp_path: Path) -> None:
    write_eyecandies(tmp_path, block_in_depth())
    data = tmp_path / "Lollipop/train/data"
    part = index_parts(tmp_path)[0]
    for text in ("normalization: {min: 4.0}", "normalization: {min: 6.0, max: 4.0}", "min: high\nmax: low"):
        (data / "000_info_depth.yaml").write_text(text)
        with pytest.raises(DatasetError, match=r"000_info_depth\.yaml"):
            load_part(part)
    (tmp_path / "Lollipop/test_public/data/01_mask.png").unlink()
    with pytest.raises(DatasetError, match="expected a mask of every test part"):
        index_parts(tmp_path)


def write_splits(file: Path, parts: list[PartFile], **changes: object) -> None:
    """As `radar-edge bench miiad` writes them: two splits, of which the second lacks something."""
    ids = [part.part_id for part in parts]
    cycle: list[Condition] = ["complete", "rgb-only", "xyz-only"]
    splits = [
        {"kind": "none", "rate": 0, "where": "both", "seed": 3, "conditions": dict.fromkeys(ids, "complete")},
        {
            "kind": "both",
            "rate": 0.7,
            "where": "both",
            "seed": 3,
            "conditions": {part_id: cycle[i % 3] for i, part_id in enumerate(ids)},
        },
    ]
    whole = {"schema": "radar-edge/miiad-splits@1", "rule": "radar-edge/miiad-rule@1", "dataset": "x", "splits": splits}
    file.write_text(json.dumps({**whole, **changes}))


def test_a_split_says_of_every_part_what_it_is_left_with(tmp_path: Path) -> None:
    write_mvtec(tmp_path / "data")
    parts, file = index_parts(tmp_path / "data"), tmp_path / "splits.json"
    write_splits(file, parts)
    found = conditions(file, parts, kind="both", rate=0.7, where="both", seed=3)
    assert list(found) == [part.part_id for part in parts]
    assert [found[part.part_id] for part in parts[:4]] == ["complete", "rgb-only", "xyz-only", "complete"]
    assert set(conditions(file, parts, kind="none", rate=0, where="both", seed=3).values()) == {"complete"}
    # A split holds for a category wherever its folder lies; those that are left out may stand in it.
    gears = index_parts(tmp_path / "data" / "gear")
    own = conditions(file, gears, kind="both", rate=0.7, where="both", seed=3)
    assert {f"gear/{part_id}": condition for part_id, condition in own.items()}.items() <= found.items()


def test_a_split_file_that_does_not_fit_is_an_error(tmp_path: Path) -> None:
    write_mvtec(tmp_path / "data")
    parts, file = index_parts(tmp_path / "data"), tmp_path / "splits.json"

    def read(parts: list[PartFile], seed: int = 3) -> None:
        conditions(file, parts, kind="both", rate=0.7, where="both", seed=seed)

    with pytest.raises(DatasetError, match="cannot be read as JSON"):
        read(parts)
    write_splits(file, parts, schema="other@1")
    with pytest.raises(DatasetError, match="expected 'radar-edge/miiad-splits@1'"):
        read(parts)
    write_splits(file, parts[1:])
    with pytest.raises(DatasetError, match="says nothing of 1 of 10 parts, such as 'bolt/train/good/000'"):
        read(parts)
    write_splits(file, parts)
    with pytest.raises(DatasetError, match="names 1 parts that are not there"):
        read(parts[1:])
    with pytest.raises(DatasetError, match=r"has no split .*only kind none rate 0 where both seed 3; kind both"):
        read(parts, seed=4)
    file.write_text(file.read_text().replace("xyz-only", "none"))
    with pytest.raises(DatasetError, match="'none', expected one of complete, rgb-only, xyz-only"):
        read(parts)
