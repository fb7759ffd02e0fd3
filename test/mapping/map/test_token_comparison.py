# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from tetra_vpr_ros.mapping.map.token_comparison import TokenComparison

GRID = (14, 14)
CHANCE = 0.57  # the best of nine cells that have nothing to do with a token, 128 bits


@pytest.fixture
def compare():
    return TokenComparison(GRID)


@pytest.fixture(scope='module')
def tokens(encoder, drive):
    return encoder.encode_with_tokens([frame[2] for frame in drive[:200:20]]).tokens


@pytest.fixture(scope='module')
def window(encoder, drive):
    """Return a function: the tokens of a part of a picture, cells to the right and down."""
    picture = drive[40][2]
    height, width = picture.shape[0] * 3 // 4, picture.shape[1] * 3 // 5

    def cut(right=0.0, down=0.0):
        x, y = round(width * (0.3 + right / 14)), round(height * (0.15 + down / 14))
        part = picture[y:y + height, x:x + width]
        assert part.shape[:2] == (height, width)
        return encoder.encode_with_tokens([part]).tokens[0]

    return cut


def by_the_book(query, place, most_rows=2, most_columns=4):
    """
    Return the recipe's score, the median of all shifts, and what each token meets at the best.

    Those are bits, by cells of the query; what falls beside the place is left out.
    """
    bits = np.unpackbits(np.stack([query, place]), axis=2).reshape(2, *GRID, -1).astype(int)
    shifts = []
    for down in range(-most_rows, most_rows + 1):
        for right in range(-most_columns, most_columns + 1):
            found = {}
            for row in range(14):
                for column in range(14):
                    y, x = row + down, column + right
                    if not (0 <= y < 14 and 0 <= x < 14):
                        continue
                    around = bits[1, max(y - 1, 0):y + 2, max(x - 1, 0):x + 2]
                    found[row, column] = (around != bits[0, row, column]).sum(-1).min()
            shifts.append((np.mean(list(found.values())), found))
    means = np.array([mean for mean, _ in shifts]) / bits.shape[-1]
    best = int(means.argmin())
    return 1.0 - means[best], float(np.median(means)), shifts[best][1]


def contrasts_by_the_book(found):
    """Return contrasts of places, of each of which the tokens' bits are given by their cells."""
    result = []
    for bits in found:
        nearer = []
        for cell, value in bits.items():
            others = [place[cell] for place in found if cell in place]
            nearer.append(max(np.mean(others) - value, 0.0) / (np.std(others) + 1.0))
        result.append(np.mean(nearer))
    return result


def test_a_picture_is_itself(compare, tokens):
    found = compare(tokens[3], tokens)
    assert found.scores.argmax() == 3
    assert found.scores[3] == 1.0
    assert (found.columns[3], found.rows[3]) == (0.0, 0.0)
    assert (np.delete(found.scores, 3) < 0.9).all()


def test_the_score_is_that_of_the_recipe(compare, tokens):
    found = compare(tokens[0], tokens[:4])
    scores, medians, met = zip(*(by_the_book(tokens[0], place) for place in tokens[:4]))
    assert found.scores == pytest.approx(scores)
    assert found.backgrounds == pytest.approx(medians)
    assert found.contrasts == pytest.approx(contrasts_by_the_book(met))


def test_what_all_places_show_tells_none_from_another(compare, rng):
    """A token that only one place has counts more than many that all of them have."""
    common, *places = rng.integers(0, 256, (4, 196, 16), dtype=np.uint8)
    places = np.array(places)
    places[:, 98:] = common[98:]  # the lower halves are one
    query = common.copy()
    query[:98] = places[1, :98]
    found = compare(query, places)
    assert found.contrasts.argmax() == 1
    assert found.contrasts[1] > 10 * found.contrasts[[0, 2]].max()
    alone = compare(query, places[:1])
    assert alone.contrasts.tolist() == [0.0]  # there is nothing to tell it from
    assert compare(query, places[[0, 0]]).contrasts.tolist() == [0.0, 0.0]


@pytest.mark.parametrize('right, down', [
    (1, 0), (-1, 0), (3, 0), (-3, 1), (0, 1), (2, -1), (0.5, 0), (-1.5, 0), (2.5, 0), (0, 0.5)])
def test_a_shift_is_found_to_a_part_of_a_cell(compare, window, right, down):
    """What lies further left in the query than in the place: the query is turned right."""
    found = compare(window(right, down), window()[None])
    assert found.columns[0] == pytest.approx(right, abs=0.3)
    assert found.rows[0] == pytest.approx(down, abs=0.3)
    assert found.scores[0] > 0.75


def test_the_other_way_round_the_shift_is_opposite(compare, window):
    there = compare(window(2, 0), window()[None])
    back = compare(window(), window(2, 0)[None])
    assert back.columns == pytest.approx(-there.columns, abs=0.2)
    assert back.rows == pytest.approx(-there.rows, abs=0.2)
    assert back.scores == pytest.approx(there.scores, abs=0.02)


def test_pictures_that_have_nothing_in_common_agree_by_chance(compare, rng):
    query, *places = rng.integers(0, 256, (21, 196, 16), dtype=np.uint8)
    assert compare(query, np.array(places)).scores == pytest.approx(CHANCE, abs=0.01)


def test_a_blank_picture(compare, encoder, tokens):
    grey = encoder.encode_with_tokens([np.full((480, 640, 3), 127, np.uint8)]).tokens[0]
    found = compare(grey, tokens)
    assert (found.scores < 0.7).all()
    found = compare(grey, grey[None])
    assert (found.scores[0], found.columns[0], found.rows[0]) == (1.0, 0.0, 0.0)
    nothing = np.zeros((196, 16), np.uint8)  # all tokens alike: all shifts are
    found = compare(nothing, nothing[None])
    assert (found.scores[0], found.columns[0], found.rows[0]) == (1.0, 0.0, 0.0)


def test_no_places(compare, tokens):
    found = compare(tokens[0], tokens[:0])
    assert len(found.scores) == len(found.columns) == len(found.rows) == 0
    assert found.compared.shape[0] == 0


@pytest.mark.parametrize('grid, size', [((4, 4), 4), ((2, 3), 40), ((1, 1), 8)])
def test_any_grid_and_length(grid, size, rng):
    places = rng.integers(0, 256, (3, grid[0] * grid[1], size), dtype=np.uint8)
    found = TokenComparison(grid)(places[1], places)
    assert found.scores[1] == 1.0
    assert found.scores.argmax() == 1


def test_tokens_of_another_model_are_refused(compare, tokens):
    with pytest.raises(ValueError, match=r'uint8 \[196, bytes\]'):
        compare(tokens[0], tokens[:, :100])
    with pytest.raises(ValueError, match='int64'):
        compare(tokens[0].astype(np.int64), tokens)
    with pytest.raises(ValueError, match='0x3'):
        TokenComparison((0, 3))
