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
    Return the recipe's score, the median of all shifts, and how far each piece is at the best.

    Those are bits, by cells of the query; what falls beside the place is left out.
    """
    bits = np.unpackbits(np.stack([query, place]), axis=2).reshape(2, *GRID, -1).astype(int)
    means = {}
    for down in range(-most_rows, most_rows + 1):
        for right in range(-most_columns, most_columns + 1):
            found = []
            for row, column in np.ndindex(GRID):
                y, x = row + down, column + right
                if on_the_grid(y, x):
                    around = bits[1, max(y - 1, 0):y + 2, max(x - 1, 0):x + 2]
                    found.append((around != bits[0, row, column]).sum(-1).min())
            means[down, right] = np.mean(found) / bits.shape[-1]
    best = min(means, key=means.get)
    return 1.0 - means[best], float(np.median(list(means.values()))), pieces(bits, *best)


def on_the_grid(row, column):
    return 0 <= row < GRID[0] and 0 <= column < GRID[1]


def pieces(bits, down, right):
    """Return bits from where a token and its neighbours fit best, two cells about a shift."""
    found = {}
    for row, column in np.ndindex(GRID):
        if not on_the_grid(row + down, column + right):
            continue
        found[row, column] = min(
            fit(bits, row, column, i, j)
            for i in range(down - 2, down + 3) for j in range(right - 2, right + 3)
            if on_the_grid(row + i, column + j))
    return found


def fit(bits, row, column, down, right):
    """Return the mean of bits that a token and its neighbours differ by where they have moved."""
    return np.mean([
        (bits[0, r, c] != bits[1, r + down, c + right]).sum()
        for r in range(max(row - 1, 0), min(row + 2, GRID[0]))
        for c in range(max(column - 1, 0), min(column + 2, GRID[1]))
        if on_the_grid(r + down, c + right)])


def contrasts_by_the_book(found):
    """Return contrasts of places, of each of which the bits of pieces are given by their cells."""
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
    assert np.array_equal(compare.scores(tokens[0], tokens[:4]), found.scores)
    assert found.backgrounds == pytest.approx(medians)
    assert found.contrasts == pytest.approx(contrasts_by_the_book(met), rel=1e-4)


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


def test_what_comes_nearer_in_pieces_is_told_from_what_agrees_by_chance(compare, rng):
    """Tokens that moved together speak for a place, and as many that moved anyhow do not."""
    query, nearer, scattered = rng.integers(0, 256, (3, *GRID, 16), dtype=np.uint8)
    for row, column in np.ndindex(4, 4):  # blocks of 3x3, each a cell further out: a zoom
        down, right = 2 * row // 3 - 1, 2 * column // 3 - 1
        y, x = 1 + 3 * row, 1 + 3 * column
        nearer[y + down:y + down + 3, x + right:x + right + 3] = query[y:y + 3, x:x + 3]
        for i, j in np.ndindex(3, 3):
            down, right = rng.integers(-1, 2, 2)
            scattered[y + i + down, x + j + right] = query[y + i, x + j]
    found = compare(query.reshape(196, 16), np.stack([nearer, scattered]).reshape(2, 196, 16))
    assert found.scores == pytest.approx(found.scores.mean(), abs=0.1)  # tokens alone: alike
    assert found.contrasts[0] > 3 * found.contrasts[1]


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
