"""The encoders' shapes and norms, against formulas written out by hand."""

import numpy as np
import torch

from radar_training.rgb_encoder import RgbEncoder, StudentTaps, balance, patch_features
from radar_training.sample_norm import EPSILON, SampleNorm
from radar_training.xyz_encoder import CENTRES, NEIGHBOURS, Tokeniser, XyzBackbone


def cloud(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    groups = torch.randn(1, CENTRES, NEIGHBOURS, 3, generator=generator) * 0.002
    return groups, torch.rand(1, CENTRES, 3, generator=generator) * 0.08 + torch.tensor([0.0, 0.0, 0.4])


def test_sample_norm_is_the_biased_batch_norm_of_this_sample_alone() -> None:
    torch.manual_seed(0)
    # Variances near epsilon, as metric groups have them: a wrong epsilon would show.
    features = torch.randn(2, 5, 300) * 0.003 + 1
    norm = SampleNorm(5)
    with torch.no_grad():
        norm.weight.uniform_(0.5, 2)
        norm.bias.uniform_(-1, 1)
        got = norm(features).double()
    exact = features.double()
    mean, variance = exact.mean(2, keepdim=True), exact.var(2, keepdim=True, unbiased=False)
    wanted = (exact - mean) / (variance + 1e-5).sqrt() * norm.weight[:, None] + norm.bias[:, None]
    assert EPSILON == 1e-5
    torch.testing.assert_close(got, wanted.detach(), atol=2e-4, rtol=0)


def test_the_split_map_of_the_tokeniser_equals_one_map_of_the_concatenation() -> None:
    torch.manual_seed(0)
    tokeniser = Tokeniser()
    group, point = torch.randn(1, 48, 7), torch.randn(1, 48, 7)
    weight = torch.cat([tokeniser.mix_group.weight, tokeniser.mix_point.weight], 1)
    whole = torch.nn.functional.conv1d(torch.cat([group, point], 1), weight)
    torch.testing.assert_close(tokeniser.mix_group(group) + tokeniser.mix_point(point), whole, atol=1e-5, rtol=0)


def test_xyz_tokens_do_not_depend_on_where_the_part_lies() -> None:
    torch.manual_seed(0)
    backbone = XyzBackbone().eval()
    groups, centres = cloud(1)
    with torch.no_grad():
        here, there = backbone(groups, centres), backbone(groups, centres + torch.tensor([0.03, -0.02, 0.01]))
    assert here.shape == (1, CENTRES, 192)
    torch.testing.assert_close(here, there, atol=1e-3, rtol=0)


def test_xyz_tokens_ignore_the_order_of_neighbours() -> None:
    torch.manual_seed(0)
    backbone = XyzBackbone().eval()
    groups, centres = cloud(2)
    order = torch.randperm(NEIGHBOURS)
    with torch.no_grad():
        torch.testing.assert_close(backbone(groups, centres), backbone(groups[:, :, order], centres), atol=1e-4, rtol=0)


def test_rgb_tokens_are_row_major_patches() -> None:
    taps28 = torch.zeros(1, 32, 28, 28)
    taps28[0, 3, 5, 9] = 9  # one bright cell, spread over its 3 x 3 neighbours

    class Fixed(torch.nn.Module):
        def forward(self, _: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return taps28, torch.zeros(1, 96, 14, 14)

    tokens = RgbEncoder(Fixed(), torch.zeros(128), torch.ones(128))(torch.zeros(1, 3, 224, 224))
    assert tokens.shape == (1, 784, 128)
    lit = {int(i) for i in tokens[0, :, 3].nonzero()}
    assert lit == {row * 28 + column for row in (4, 5, 6) for column in (8, 9, 10)}
    assert np.isclose(float(tokens[0, 5 * 28 + 9, 3]), float(balance()[3]))


def test_averaging_at_the_border_counts_only_real_cells() -> None:
    features = patch_features(torch.ones(1, 32, 28, 28), torch.ones(1, 96, 14, 14))
    torch.testing.assert_close(features, torch.ones(1, 128, 28, 28))


def test_folding_batch_norms_changes_nothing() -> None:
    torch.manual_seed(0)
    taps = StudentTaps()
    for _ in range(2):
        taps(torch.randn(4, 3, 64, 64) * 2 + 1)  # moves the running statistics
    taps.eval()
    image = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        before = taps(image)
        taps.fold()
        for a, b in zip(before, taps(image), strict=True):
            torch.testing.assert_close(a, b, atol=1e-4, rtol=0)
