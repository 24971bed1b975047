"""The product's decision once more, in numpy: what the daemon's answers are held against (test/fixtures/end-to-end).

Written from the method's formulas (numerics.md 1.3 to 5.5) and what the daemon's docstrings promise, with scipy,
scikit-learn and torch wherever they have the step, and without a thought for speed. It shares no code with the daemon
and takes none of its short cuts: whole 224 x 224 maps, all distances, float64. Not a way to inspect parts.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import load_file
from scipy import ndimage
from scipy.optimize import nnls
from scipy.spatial.distance import cdist
from sklearn.cluster import DBSCAN
from sklearn.covariance import ledoit_wolf_shrinkage

from .bundle import MEAN, STD
from .datasets import Condition
from .export import run_graph
from .parts import BORDER_PIXELS, INLIER_METRES, PLANE_METRES, SIZE, nearest_floor, squared
from .token_grid import GRID

Floats = NDArray[np.float64]
Rows = NDArray[np.float32]
"""[R,D]: one patch per row; 784 of a part, in raster order."""
Marks = NDArray[np.bool_]
Mode = Literal["one-sided", "two-sided"]

CLUSTER_METRES = 0.006
CLUSTER_POINTS = 30
#: Slots of up to twice this many pixels count as part (the daemon's foreground.ts).
CLOSING_PIXELS = 3
#: Of a patch's 64 pixels.
FOREGROUND_PIXELS = 16
#: The nearest bank row and the two beside it (numerics 5.2).
REWEIGHT_ROWS = 3
SIGMA_PIXELS = 4
NORMALS_FOR_COVARIANCE = 20
#: Relative to the mean score, so that equal scores do not make every other one infinitely far.
LEAST_RELATIVE_DEVIATION = 1e-3
TAIL_SHARE = 0.25
NEIGHBOURHOOD = np.ones((3, 3), bool)


# --- From frames to the model's input (numerics 1.3, 1.4) ---


def part_of(point_map: NDArray[np.float32]) -> Marks:
    """Points [H,W,3], metres -> where the part is, [H,W]: off the border's plane, the largest cluster.

    Only for frames whose whole border is table: the plane is then the least-squares one of all border points, and no
    random sample decides. Raises ValueError for others.
    """
    valid: Marks = (point_map != 0).any(2)
    cloud = point_map.astype(np.float64)
    deep = BORDER_PIXELS
    sides = ((cloud[:deep], valid[:deep]), (cloud[-deep:], valid[-deep:]))
    ends = ((cloud[:, :deep], valid[:, :deep]), (cloud[:, -deep:], valid[:, -deep:]))
    border = np.concatenate([points[there] for points, there in (*sides, *ends)])
    middle = border.mean(0)
    normal = np.linalg.svd(border - middle, full_matrices=False)[2][2]
    if np.abs((border - middle) @ normal).max() >= INLIER_METRES:
        raise ValueError("points on the border lie off its plane, expected nothing but table there")
    off = valid & (np.abs((cloud - middle) @ normal) >= PLANE_METRES)
    labels = DBSCAN(eps=CLUSTER_METRES, min_samples=CLUSTER_POINTS).fit(cloud[off]).labels_
    kept = np.zeros_like(valid)
    kept[off] = labels == np.bincount(labels[labels >= 0]).argmax()
    return kept


def placed(point_map: NDArray[np.float32], part: Marks) -> tuple[Rows, NDArray[np.int64]]:
    """The part's points [N,3] and their raster indices in the 224 x 224 input."""
    grid = nearest_floor(squared(np.where(part[..., None], point_map, np.float32(0)))).reshape(-1, 3)
    raster = np.flatnonzero(grid.any(1))
    return grid[raster], raster


def image_of(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """[H,W,3] -> [3,224,224], normalised in float32 as torchvision does."""
    resized = Image.fromarray(squared(picture)).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    unit = np.asarray(resized).astype(np.float32) / np.float32(255)
    return np.ascontiguousarray(((unit - np.array(MEAN, np.float32)) / np.array(STD, np.float32)).transpose(2, 0, 1))


def foreground_of(raster: NDArray[np.int64]) -> Marks:
    """[224,224]: where the part is, gaps closed and holes filled."""
    pixels = np.zeros((SIZE, SIZE), bool)
    pixels.flat[raster] = True
    wide = np.pad(pixels, 2 * CLOSING_PIXELS)
    closed = ndimage.binary_closing(wide, np.ones((2 * CLOSING_PIXELS + 1,) * 2))
    inside = slice(2 * CLOSING_PIXELS, 2 * CLOSING_PIXELS + SIZE)
    filled: Marks = ndimage.binary_fill_holes(closed[inside, inside])
    return filled


def voting(foreground: Marks) -> Marks:
    """[224,224] -> [784]: patches of which a quarter or more is part."""
    counts = foreground.reshape(GRID, SIZE // GRID, GRID, SIZE // GRID).sum((1, 3))
    return (counts >= FOREGROUND_PIXELS).ravel()


def grouped(points: Rows, centres: int, neighbours: int) -> tuple[NDArray[np.float32], Rows]:
    """Farthest point sampling and nearest neighbours (numerics 3.1) in float64; ties go to the lowest index."""
    cloud = points.astype(np.float64)
    chosen = [0]
    least = np.full(len(cloud), np.inf)
    while len(chosen) < centres:
        least = np.minimum(least, ((cloud - cloud[chosen[-1]]) ** 2).sum(1))
        chosen.append(int(least.argmax()))
    near = [np.argsort(((cloud - cloud[c]) ** 2).sum(1), kind="stable")[:neighbours] for c in chosen]
    return np.stack([points[n] - points[c] for n, c in zip(near, chosen, strict=True)]), points[chosen]


def pooled(tokens: Rows, centres: Rows, points: Rows, raster: NDArray[np.int64]) -> Rows:
    """Tokens [G,D] -> patches [784,D] (numerics 3.3): to the points, 3 x 3 mean without padding, adaptive mean.

    A point takes its three nearest centres by weights 1 / (squared distance + 1e-8); a pixel without a point is zero.
    """
    squares = cdist(points.astype(np.float64), centres.astype(np.float64), "sqeuclidean")
    index = np.argsort(squares, axis=1, kind="stable")[:, :3]
    weights = 1 / (np.take_along_axis(squares, index, 1) + 1e-8)
    weights /= weights.sum(1, keepdims=True)
    whole = torch.zeros(tokens.shape[1], SIZE * SIZE, dtype=torch.float64)
    whole[:, raster] = torch.from_numpy(np.einsum("nk,nkd->dn", weights, tokens[index].astype(np.float64)))
    averaged = torch.nn.functional.avg_pool2d(whole.view(1, -1, SIZE, SIZE), 3, stride=1)
    patches = torch.nn.functional.adaptive_avg_pool2d(averaged, GRID)[0]
    return np.ascontiguousarray(patches.flatten(1).T.float().numpy())


# --- Features (numerics 2 to 4) ---


@dataclass(frozen=True)
class Seen:
    """A part's features as the condition shows it."""

    condition: Condition
    rgb: Rows | None
    xyz: Rows | None
    foreground: Marks
    """[784]"""


def narrowed(part: Seen, condition: Condition) -> Seen:
    """What is left of a part without the other sensor; a picture alone does not tell the part from the table."""
    if condition == "rgb-only":
        return Seen(condition, part.rgb, None, np.ones_like(part.foreground))
    return Seen(condition, None if condition == "xyz-only" else part.rgb, part.xyz, part.foreground)


class GraphBundle:
    """A bundle's graphs, run by ONNX Runtime."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = json.loads((folder / "manifest.json").read_text())
        self.pseudo = load_file(folder / self.manifest["pseudo"]["name"])

    def see(self, picture: NDArray[np.uint8] | None, point_map: NDArray[np.float32] | None) -> Seen:
        """At least one of picture [H,W,3] and points [H,W,3]."""
        rgb, xyz, foreground = None, None, np.ones(GRID * GRID, bool)
        if picture is not None:
            rgb = run_graph(self.folder / "rgb.onnx", {"image": image_of(picture)[None]})[0]
        if point_map is not None:
            points, raster = placed(point_map, part_of(point_map))
            wanted = self.manifest["input"]["xyz"]
            groups, centres = grouped(points, wanted["centres"], wanted["neighbours"])
            tokens = run_graph(self.folder / "xyz.onnx", {"groups": groups, "centres": centres})
            xyz, foreground = pooled(tokens, centres, points, raster), voting(foreground_of(raster))
        condition: Condition = "rgb-only" if xyz is None else "xyz-only" if rgb is None else "complete"
        return Seen(condition, rgb, xyz, foreground)

    def fuse(self, part: Seen) -> Rows:
        """G_hat under the instruction of the part's condition; pseudo features stand in for what it lacks."""
        return run_graph(
            self.folder / self.manifest["fusion"]["file"]["name"],
            {
                "rgb": self.pseudo["rgb"] if part.rgb is None else part.rgb,
                "xyz": self.pseudo["xyz"] if part.xyz is None else part.xyz,
                "condition": np.array([self.manifest["instructions"][part.condition]], np.int64),
            },
        )


# --- Banks, scores and maps (numerics 5.1 to 5.3) ---


@dataclass(frozen=True)
class Scale:
    mean: float
    std: float


def scale_of(values: Rows) -> Scale:
    """One mean and one deviation over all entries."""
    return Scale(float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64)) or 1)


def normalised(values: Rows, scale: Scale) -> Rows:
    return ((values.astype(np.float64) - scale.mean) / scale.std).astype(np.float32)


def nearest(rows: Rows, bank: Rows) -> tuple[Floats, NDArray[np.int64]]:
    """Of each row: Euclidean distance to its nearest bank row, and which that is."""
    distances = cdist(rows.astype(np.float64), bank.astype(np.float64))
    index = distances.argmin(1)
    return distances[np.arange(len(rows)), index], index


def neighbourhood_means(distances: Floats, voters: Marks) -> Floats:
    """Of each voter the mean over the voters among its 3 x 3 patches, -inf elsewhere. Where none votes, all do."""
    votes = (voters if voters.any() else np.ones_like(voters)).reshape(GRID, GRID)
    masked = np.where(votes, distances.reshape(GRID, GRID), 0)
    total = ndimage.convolve(masked, NEIGHBOURHOOD.astype(float), mode="constant")
    count = ndimage.convolve(votes.astype(float), NEIGHBOURHOOD.astype(float), mode="constant")
    return np.where(votes, total / np.maximum(count, 1), -np.inf).ravel()


def image_score(rows: Rows, bank: Rows, voters: Marks) -> float:
    """The largest 3 x 3 mean, times w = 1 - exp(m/D) / sum_r exp(|f - r|/D) of the patch it is around.

    m is that patch's distance to its nearest bank row m*, r are the two bank rows nearest to m* besides itself, and
    D = sqrt(width). A bank without two others counts m in their place.
    """
    distances, index = nearest(rows, bank)
    means = neighbourhood_means(distances, voters)
    worst = int(means.argmax())
    own = int(index[worst])
    order = np.argsort(cdist(bank[own][None].astype(np.float64), bank.astype(np.float64))[0], kind="stable")
    beside = [row for row in order if row != own][: REWEIGHT_ROWS - 1]
    terms = cdist(rows[worst][None].astype(np.float64), bank[beside].astype(np.float64))[0] if beside else np.zeros(0)
    terms = np.concatenate([terms, np.full(REWEIGHT_ROWS - 1 - len(terms), distances[worst])])
    return float(weight_of(float(distances[worst]), terms, rows.shape[1]) * means[worst])


def weight_of(least: float, beside: Floats, width: int) -> float:
    """w of `image_score`, in [0.5,1) for two rows beside that are no nearer than the nearest."""
    root = np.sqrt(width)
    logs = torch.from_numpy(np.asarray(beside, np.float64) / root)
    return 1 - float(torch.exp(least / root - torch.logsumexp(logs, 0)))


def anomaly_map(patches: Floats) -> Floats:
    """[784] -> [224,224]: bilinear with half-pixel centres, Gaussian of sigma 4 with 33 taps, reflected."""
    grid = torch.from_numpy(patches.reshape(1, 1, GRID, GRID))
    tall = torch.nn.functional.interpolate(grid, SIZE, mode="bilinear", align_corners=False)[0, 0].numpy()
    # scipy's "mirror" is what torch and OpenCV call reflect: the border pixel is not repeated.
    smooth: Floats = ndimage.gaussian_filter(tall, SIGMA_PIXELS, truncate=4, mode="mirror")
    return smooth


def widened(patches: Marks) -> Marks:
    """Every patch that is marked or has a marked one among its 8 neighbours."""
    wide: Marks = ndimage.binary_dilation(patches.reshape(GRID, GRID), NEIGHBOURHOOD).ravel()
    return wide


def mixed_map(distances: list[Floats], voters: list[Marks], weights: list[float], threshold: float) -> Floats:
    """Per bank: interpolated, smoothed, weighted; together: 1 = the threshold. Shown one patch beyond the voters."""
    total = np.zeros((SIZE, SIZE))
    for values, votes, weight in zip(distances, voters, weights, strict=True):
        shown = widened(votes) if votes.any() else np.ones_like(votes)
        total += weight * anomaly_map(np.where(shown, values, 0))
    return total / threshold


# --- Distance and normality (numerics 5.5) ---


@dataclass(frozen=True)
class Head:
    """RADAR's Mahalanobis distance over the banks' scores."""

    origin: Floats
    """Mean of good parts, plus each bank's allowance in deviations."""
    covariance: Floats
    shrinkage: float
    mode: Mode = "one-sided"


def fit_head(scores: Floats, allowances: Floats, mode: Mode = "one-sided") -> Head:
    """Scores [N,B] of good parts. Ledoit-Wolf towards the diagonal; nothing but the diagonal below 20 parts."""
    mean = scores.mean(0)
    measured = scores.std(0, ddof=1) if len(scores) > 1 else np.zeros(scores.shape[1])
    deviation = np.maximum(measured, LEAST_RELATIVE_DEVIATION * np.abs(mean))
    standard = (scores - mean) / deviation
    shrinkage = 1.0
    if len(scores) >= NORMALS_FOR_COVARIANCE:
        shrinkage = float(ledoit_wolf_shrinkage(standard, assume_centered=True))
    correlation = (1 - shrinkage) * (standard.T @ standard) / max(1, len(scores) - 1)
    np.fill_diagonal(correlation, 1)
    return Head(mean + allowances * deviation, correlation * np.outer(deviation, deviation), shrinkage, mode)


def distance_of(head: Head, scores: Floats) -> float:
    return one_sided(head, scores) if head.mode == "one-sided" else two_sided(head, scores)


def two_sided(head: Head, scores: Floats) -> float:
    excess = scores - head.origin
    return float(np.sqrt(excess @ np.linalg.solve(head.covariance, excess)))


def one_sided(head: Head, scores: Floats) -> float:
    """Distance to the nearest point that is as far out in every bank; the largest standardised score if none is out.

    min (r + u)' S^-1 (r + u) over u >= 0, with S = L L', is the non-negative least squares |L^-1 u + L^-1 r|.
    """
    excess = scores - head.origin
    largest = float((excess / np.sqrt(np.diag(head.covariance))).max())
    if largest <= 0:
        return largest
    root = np.linalg.inv(np.linalg.cholesky(head.covariance))
    return float(nnls(root, -root @ excess)[1])


@dataclass(frozen=True)
class Curve:
    """Normality over distance."""

    distances: Floats
    """Distinct, ascending."""
    normalities: Floats
    upper_tail: float
    lower_tail: float


def fit_curve(distances: Floats) -> Curve:
    """The j-th largest of n good parts stands for j / (n + 1), equal ones for their mean; exponential tails outside."""
    ordered = np.sort(distances)
    ranks = (len(ordered) - np.arange(len(ordered))) / (len(ordered) + 1)
    knots, group = np.unique(ordered, return_inverse=True)
    normalities = np.bincount(group, ranks) / np.bincount(group)
    return Curve(knots, normalities, tail_of(ordered), tail_of(-ordered[::-1]))


def tail_of(ordered: Floats) -> float:
    """Mean excess of the top quarter (3 at least) over the value below it."""
    above = min(len(ordered) - 1, max(3, int(np.ceil(len(ordered) * TAIL_SHARE))))
    base = ordered[len(ordered) - 1 - above]
    excess = (ordered[len(ordered) - above :] - base).mean() if above else 0.0
    return float(max(excess, 1e-4 * abs(base), 1e-9))


def normality_of(curve: Curve, distance: float) -> float:
    first, last = curve.distances[0], curve.distances[-1]
    if distance >= last:
        return float(curve.normalities[-1] * np.exp((last - distance) / curve.upper_tail))
    if distance <= first:
        return float(1 - (1 - curve.normalities[0]) * np.exp((distance - first) / curve.lower_tail))
    return float(np.interp(distance, curve.distances, curve.normalities))


def distance_at(curve: Curve, normality: float) -> float:
    """The inverse of `normality_of`."""
    if normality <= curve.normalities[-1]:
        return float(curve.distances[-1] + curve.upper_tail * np.log(curve.normalities[-1] / normality))
    if normality >= curve.normalities[0]:
        return float(curve.distances[0] + curve.lower_tail * np.log((1 - normality) / (1 - curve.normalities[0])))
    return float(np.interp(normality, curve.normalities[::-1], curve.distances[::-1]))


def calibrate(scores: Floats, allowances: Floats, mode: Mode = "one-sided") -> tuple[Head, Curve]:
    """The head of all good parts [N,B], and the curve of their distances, each by a head that has not seen the part."""
    others = [fit_head(np.delete(scores, i, 0), allowances, mode) for i in range(len(scores))]
    distances = np.array([distance_of(head, row) for head, row in zip(others, scores, strict=True)])
    return fit_head(scores, allowances, mode), fit_curve(distances)


# --- Teaching and judging ---

BANKS_OF: dict[Condition, tuple[str, ...]] = {
    "complete": ("rgb", "xyz", "fused"),
    "rgb-only": ("rgb", "fused"),
    "xyz-only": ("xyz", "fused"),
}
#: Deviations beyond the mean that count for nothing.
ALLOWANCES: dict[Condition, tuple[float, ...]] = {
    "complete": (0, 2.5, 2.5),
    "rgb-only": (0, 2.5),
    "xyz-only": (0, 2.5),
}
#: Of a part's foreground: how much background from where parts lie enters the banks.
BACKGROUND_SHARE = 0.3
Fuse = Callable[[Seen], Rows]


@dataclass(frozen=True)
class Repository:
    """R_rgb, R_xyz, and R_fused with its rows tagged by condition: one matrix per tag."""

    banks: dict[str, Rows]
    scales: dict[str, Scale]
    prior: Marks
    """[784]: where taught parts have lain, widened by one patch."""
    heads: dict[Condition, tuple[Head, Curve]]


@dataclass(frozen=True)
class MapHead:
    """How the banks' maps are mixed. Given: the daemon learns the weights by a seeded stochastic descent of its own."""

    weights: list[float]
    threshold: float


@dataclass(frozen=True)
class Verdict:
    scores: list[float]
    """In the order of BANKS_OF."""
    distance: float
    normality: float
    fails: bool
    map: Floats
    """[224,224]"""


def bank_key(name: str, condition: Condition) -> str:
    return f"fused-{condition}" if name == "fused" else name


def has(part: Seen, condition: Condition) -> bool:
    """Whether the part was captured with all that the condition has."""
    return part.condition in ("complete", condition)


def voters_of(name: str, part: Seen, prior: Marks) -> Marks:
    """In colour, and fused without 3D, wherever parts have lain; else the part's own foreground."""
    in_colour = name == "rgb" or (name == "fused" and part.condition == "rgb-only")
    return prior if in_colour else part.foreground


def patches_of(name: str, part: Seen, fuse: Fuse) -> Rows:
    """Raw rows of a part for a bank of its condition."""
    rows = fuse(part) if name == "fused" else part.rgb if name == "rgb" else part.xyz
    if rows is None:
        raise ValueError(f"a {part.condition} part has no {name} patches")
    return rows


def teach(parts: Sequence[Seen], held_out: Sequence[Seen], fuse: Fuse) -> Repository:
    """Banks of every candidate patch, and a head per condition from the held-out parts that have its modalities.

    Raises ValueError where a random choice of background would be due: no reference can repeat that.
    """
    located = [part.foreground for part in parts if part.condition != "rgb-only"]
    prior = widened(np.any(located, 0))
    chosen = []
    for part in parts:
        own = prior if part.condition == "rgb-only" else part.foreground
        if (prior & ~own).sum() > BACKGROUND_SHARE * own.sum():
            raise ValueError("not all background around a part enters the banks, expected parts of one large outline")
        chosen.append(own | prior)
    banks: dict[str, Rows] = {}
    scales: dict[str, Scale] = {}
    for condition, names in BANKS_OF.items():
        for name in names:
            needed: Condition = condition if name == "fused" else "rgb-only" if name == "rgb" else "xyz-only"
            raw = [
                patches_of(name, narrowed(part, needed), fuse)[patches]
                for part, patches in zip(parts, chosen, strict=True)
                if has(part, needed)
            ]
            key = bank_key(name, condition)
            scales[key] = scale_of(np.concatenate(raw))
            banks[key] = normalised(np.concatenate(raw), scales[key])
    repository = Repository(banks, scales, prior, {})
    for condition in BANKS_OF:
        normals = [narrowed(part, condition) for part in held_out if has(part, condition)]
        scores = np.array([[score for score, _, _ in findings_of(part, repository, fuse)] for part in normals])
        repository.heads[condition] = calibrate(scores, np.array(ALLOWANCES[condition]))
    return repository


def findings_of(part: Seen, repository: Repository, fuse: Fuse) -> list[tuple[float, Floats, Marks]]:
    """Of each bank of the part's condition: image score, distance of every patch, and who voted."""
    findings = []
    for name in BANKS_OF[part.condition]:
        key = bank_key(name, part.condition)
        rows = normalised(patches_of(name, part, fuse), repository.scales[key])
        voters = voters_of(name, part, repository.prior)
        bank = repository.banks[key]
        findings.append((image_score(rows, bank, voters), nearest(rows, bank)[0], voters))
    return findings


def judge(part: Seen, repository: Repository, fuse: Fuse, mix: MapHead, false_reject_rate: float) -> Verdict:
    findings = findings_of(part, repository, fuse)
    scores = [score for score, _, _ in findings]
    head, curve = repository.heads[part.condition]
    distance = distance_of(head, np.array(scores))
    normality = normality_of(curve, distance)
    shown = mixed_map([d for _, d, _ in findings], [v for _, _, v in findings], mix.weights, mix.threshold)
    return Verdict(scores, distance, normality, normality < false_reject_rate, shown)
