"""LLVM IR text of the kernels for many small matrices; `matrices.py` says what they do and calls them.

Scratch memory holds as many matrices as a vector has lanes: a *cell*, one vector, is an element of all of them. What a
lane decides for itself, the row to exchange, is selected; loops have the same number of turns for all. Sizes come as
constants, steps are in bytes. Where fewer matrices are left than there are lanes the last one is computed by all lanes
that are left.
"""
from .gemm_text import Tile, declarations, function, kernel

UNROLLED = 4                            # rows or columns that a loop takes together


def emit(name, dtype, machine):
    """The text of a kernel and of the functions that it calls."""
    tile = Tile(dtype, machine)
    return (declarations(tile)
            + f'declare {tile.vector} @llvm.fabs.{tile.name}({tile.vector})\n'
              f'declare {tile.vector} @llvm.sqrt.{tile.name}({tile.vector})\n'
            + '\n'.join([part(tile) for part in _PARTS[name]]))


def _cell(t):
    return t.lanes * t.size


def _integers(t):
    return f'<{t.lanes} x i{8 * t.size}>'


def _masks(t):
    return f'<{t.lanes} x i1>'


def _constant(t, number):
    return '<' + ', '.join([f'i{8 * t.size} {number}'] * t.lanes) + '>'


def _element(f, base, index, step=None):
    return f.at(base, f.mul(index, step or _cell(f.t)))


def _load(f, pointer):
    return f.load(f.t.vector, pointer)


def _store(f, value, pointer):
    f.store(f.t.vector, value, pointer)


def _select(f, mask, x, y):
    v = f.t.vector
    return f.new(f'select {_masks(f.t)} {mask}, {v} {x}, {v} {y}')


def _call(f, name, x):
    return f.new(f'call {f.t.vector} @llvm.{name}.{f.t.name}({f.t.vector} {x})')


def _any(f, mask):
    n = f.t.lanes
    return f.new(f'icmp ne i{n} {f.new(f"bitcast {_masks(f.t)} {mask} to i{n}")}, 0')


def _tiles(f, count, body):
    """body(index, so many together) over 0 ... count: UNROLLED at a time, the rest one by one."""
    whole = f.sub(count, f.new(f'and i64 {count}, {UNROLLED - 1}'))
    with f.loop(0, whole, UNROLLED) as i:
        body(i, UNROLLED)
    with f.loop(whole, count) as i:
        body(i, 1)


# --- in and out of scratch memory -----------------------------------------------------------------------------------

def _transposed(f, rows):
    """As many vectors as each has lanes, by the butterflies of log2(lanes) perfect shuffles."""
    n, v, count = f.t.lanes, f.t.vector, 1
    while count < n:
        x, y, rows = rows[:n // 2], rows[n // 2:], []
        for pair in zip(x, y):
            for half in (0, n // 2):
                order = ', '.join([f'i32 {half + i // 2 + n * (i % 2)}' for i in range(n)])
                rows.append(f.new(f'shufflevector {v} {pair[0]}, {v} {pair[1]}, <{n} x i32> <{order}>'))
        count *= 2
    return rows


def _chunks(f, matrices, cells, body):
    """body(pointers to a chunk of each matrix's elements, of the cells, mask or None) for all elements."""
    t = f.t
    last, at = f.sub('%lanes', 1), []
    for lane in range(t.lanes):
        at.append(_element(f, matrices, f.min(lane, last), '%step'))
    whole = f.sub('%elements', f.new(f'and i64 %elements, {t.lanes - 1}'))

    def chunk(e, mask):
        offset = f.mul(e, t.size)
        body([f.at(x, offset) for x in at], [f.at(_element(f, cells, e), i * _cell(t)) for i in range(t.lanes)], mask)
    with f.loop(0, whole, t.lanes) as e:
        chunk(e, None)
    f.branch(f.test('slt', whole, '%elements'), lambda: chunk(whole, f.mask(f.sub('%elements', whole))))


def interleave(t):
    """target[element] = the element of all matrices, contiguous and `step` apart; 0 in what is left of a chunk."""
    f = function(t, 'interleave')

    def chunk(matrices, cells, mask):
        found = [f.masked_load(x, mask) if mask else _load(f, x) for x in matrices]
        for value, cell in zip(_transposed(f, found), cells):
            _store(f, value, cell)
    _chunks(f, '%source', '%target', chunk)
    return f.text()


def separate(t):
    """The contrary: each matrix of target from the cells of source."""
    f = function(t, 'separate')

    def chunk(matrices, cells, mask):
        for value, x in zip(_transposed(f, [_load(f, cell) for cell in cells]), matrices):
            f.masked_store(value, x, mask) if mask else _store(f, value, x)
    _chunks(f, '%target', '%source', chunk)
    return f.text()


def _turn(t):
    """target[i, j] = source[j, i], square by square as wide as a vector; neighbours along j and i are `size` apart."""
    f, v = kernel(t, 'turn', 'source target', 'm n source_step target_step')
    with f.loop('%lo', '%hi') as block:
        i = f.mul(block, t.lanes)
        rows = f.min(t.lanes, f.sub(v['m'], i))
        with f.loop(0, v['n'], t.lanes) as j:
            columns = f.min(t.lanes, f.sub(v['n'], j))
            f.call('square', f.at(v['target'], f.mul(i, v['target_step']), f.mul(j, t.size)), v['target_step'],
                   f.at(v['source'], f.mul(j, v['source_step']), f.mul(i, t.size)), v['source_step'], rows, columns)
    return f.text()


def square(t):
    """A square of `turn` with so many rows and columns in the target."""
    f = function(t, 'square')

    def moved(whole):
        read, written = (None, None) if whole else (f.mask('%rows'), f.mask('%columns'))
        last = lambda count: f.sub(count, 1)
        row = lambda base, step, k, count: _element(f, base, k if whole else f.min(k, last(count)), step)
        found = [row('%source', '%source_step', k, '%columns') for k in range(t.lanes)]
        found = [_load(f, x) if whole else f.masked_load(x, read) for x in found]
        for k, value in enumerate(_transposed(f, found)):
            def put():
                place = _element(f, '%target', k, '%target_step')
                _store(f, value, place) if whole else f.masked_store(value, place, written)
            put() if whole else f.branch(f.test('slt', k, '%rows'), put)
    full = f.both(f.test('eq', '%rows', t.lanes), f.test('eq', '%columns', t.lanes))
    f.branch(full, lambda: moved(True), lambda: moved(False))
    return f.text()


def _kernel(t, name, slots, constants):
    """(function, {name: value} of its slots and constants, where the thread's scratch memory begins)"""
    f, v = kernel(t, name, slots + ' error scratch', 'count bytes ' + constants)
    return f, v, f.at(v['scratch'], f.mul('%worker', v['bytes']))


def _piece(f, at, elements):
    """Where the cells after so many begin; as many as a chunk has are left over."""
    return f.at(at, f.mul(f.add(elements, f.t.lanes), _cell(f.t)))


def _move(f, v, group, way, name, cells, elements):
    """The matrices of a group into their cells, or out of them."""
    first = f.mul(group, f.t.lanes)
    lanes, step = f.min(f.t.lanes, f.sub(v['count'], first)), v[f'{name}_step']
    f.call(way, *[cells, f.at(v[name], f.mul(first, step))][::1 if way == 'interleave' else -1], step, lanes, elements)


def _report(f, v, mask):
    """Set the error word where a lane has failed."""
    f.branch(_any(f, mask), lambda: f.store('i64', 1, v['error']))


# --- Cholesky -------------------------------------------------------------------------------------------------------

def _cholesky(t):
    """L with L L^T = a row by row of a column, from the lower triangle; an error where a pivot isn't positive."""
    f, v, w = _kernel(t, 'small_cholesky', 'a to', 'n a_step to_step')
    n, row = v['n'], f.mul(v['n'], _cell(t))
    square = f.mul(n, n)

    def less(j, rows, own):
        """Element j of rows less their products with row `own` up to there."""
        sums = [f.variable(t.vector, _load(f, _element(f, x, j))) for x in rows]
        with f.loop(0, j) as k:
            minus = f.new(f'fneg {t.vector} {_load(f, _element(f, own, k))}')
            for total, x in zip(sums, rows):
                f.set(total, f.multiply_add(_load(f, _element(f, x, k)), minus, f.get(total)))
        return [f.get(total) for total in sums]
    with f.loop('%lo', '%hi') as group:
        _move(f, v, group, 'interleave', 'a', w, square)
        failed = f.variable(_masks(t), 'zeroinitializer')
        with f.loop(0, n) as j:
            own = _element(f, w, j, row)
            pivot, = less(j, [own], own)
            bad = f.new(f'fcmp ole {t.vector} {pivot}, zeroinitializer')
            f.set(failed, f.new(f'or {_masks(t)} {f.get(failed)}, {bad}'))
            root = _call(f, 'sqrt', pivot)
            _store(f, root, _element(f, own, j))
            following, below = f.add(j, 1), f.sub(f.sub(n, j), 1)
            with f.loop(following, n) as i:
                _store(f, 'zeroinitializer', _element(f, own, i))

            def column(i, together):
                first, rows = _element(f, own, f.add(i, 1), row), []
                for k in range(together):
                    rows.append(_element(f, first, k, row))
                for x, value in zip(rows, less(j, rows, own)):
                    _store(f, f.new(f'fdiv {t.vector} {value}, {root}'), _element(f, x, j))
            _tiles(f, below, column)
        _report(f, v, f.get(failed))
        _move(f, v, group, 'separate', 'to', w, square)
    return f.text()


# --- elimination ----------------------------------------------------------------------------------------------------

def pivot(t):
    """chosen = how far below the first element of a column its largest one lies, the first of equal ones."""
    f, ints = function(t, 'pivot'), _integers(t)
    largest = f.variable(t.vector, _call(f, 'fabs', _load(f, '%column')))
    found = f.variable(ints, 'zeroinitializer')
    number = f.variable(ints, 'zeroinitializer')
    with f.loop(1, '%count') as i:
        f.set(number, f.new(f'add {ints} {f.get(number)}, {_constant(t, 1)}'))
        value = _call(f, 'fabs', _load(f, _element(f, '%column', i, '%step')))
        larger = f.new(f'fcmp ogt {t.vector} {value}, {f.get(largest)}')
        f.set(largest, _select(f, larger, value, f.get(largest)))
        f.set(found, f.new(f'select {_masks(t)} {larger}, {ints} {f.get(number)}, {ints} {f.get(found)}'))
    f.store(ints, f.get(found), '%chosen')
    return f.text()


def exchange(t):
    """Exchange a row with that which is `chosen` of the `count` after it, in each lane its own; 0 is the row itself."""
    f, ints = function(t, 'exchange'), _integers(t)
    chosen = f.load(ints, '%chosen')

    def columns(j, together):
        start = _element(f, '%first', j)
        places = [f.at(start, k * _cell(t)) for k in range(together)]
        old = [_load(f, place) for place in places]
        new = [f.variable(t.vector, x) for x in old]
        number = f.variable(ints, 'zeroinitializer')
        at = f.variable('ptr', start)
        with f.loop(0, '%count'):
            f.set(number, f.new(f'add {ints} {f.get(number)}, {_constant(t, 1)}'))
            f.advance(at, '%row')
            here = f.new(f'icmp eq {ints} {chosen}, {f.get(number)}')
            for k, (x, y) in enumerate(zip(old, new)):
                place = f.at(f.get(at), k * _cell(t))
                value = _load(f, place)
                f.set(y, _select(f, here, value, f.get(y)))
                _store(f, _select(f, here, x, value), place)
        for place, y in zip(places, new):
            _store(f, f.get(y), place)
    _tiles(f, '%columns', columns)
    return f.text()


def subtract(t):
    """rows[i, j] -= factors[i] first[j] for i < count, j < columns."""
    f = function(t, 'subtract')

    def columns(j, together):
        start = _element(f, '%first', j)
        minus = [f.new(f'fneg {t.vector} {_load(f, f.at(start, k * _cell(t)))}') for k in range(together)]
        at, factors = f.variable('ptr', _element(f, '%rows', j)), f.variable('ptr', '%factors')
        with f.loop(0, '%count'):
            factor = _load(f, f.get(factors))
            for k, x in enumerate(minus):
                place = f.at(f.get(at), k * _cell(t))
                _store(f, f.multiply_add(factor, x, _load(f, place)), place)
            f.advance(at, '%row')
            f.advance(factors, '%step')
    _tiles(f, '%columns', columns)
    return f.text()


def _eliminate(f, a, m, n, turn):
    """L and U in the place of a (m, n) with partial pivoting; where a pivot is 0 its column is 0 as well.

    turn(k, how many rows are below, chosen, mask of the pivots that are 0): what else each turn does.
    """
    t = f.t
    row, chosen = f.mul(n, _cell(t)), f.fixed(_integers(t))
    with f.loop(0, f.min(m, n)) as k:
        whole, count = _element(f, a, k, row), f.sub(m, k)
        below, top = f.sub(count, 1), _element(f, whole, k)
        f.call('pivot', top, row, count, chosen)
        moved = f.new(f'icmp ne {_integers(t)} {f.load(_integers(t), chosen)}, zeroinitializer')
        f.branch(_any(f, moved), lambda: f.call('exchange', whole, row, n, chosen, below))
        value = _load(f, top)
        zero = f.new(f'fcmp oeq {t.vector} {value}, zeroinitializer')
        one = '<' + ', '.join([f'{t.scalar} 1.0'] * t.lanes) + '>'
        value = _select(f, zero, one, value)
        factors = f.at(top, row)
        with f.loop(0, below) as i:
            place = _element(f, factors, i, row)
            _store(f, f.new(f'fdiv {t.vector} {_load(f, place)}, {value}'), place)
        f.call('subtract', f.at(factors, _cell(t)), row, f.sub(f.sub(n, k), 1), f.at(top, _cell(t)), factors, row,
               below)
        turn(k, below, chosen, moved, zero, factors, row)


def _lu(t):
    """Factors, permutation of the rows, +1 or -1 its sign, pivots: what is exchanged with the factors' rows."""
    f, v, w = _kernel(t, 'small_lu', 'a to order sign pivots', 'm n a_step to_step order_step sign_step pivots_step')
    m, n, ints = v['m'], v['n'], _integers(t)
    elements = f.mul(m, n)
    order = _piece(f, w, elements)
    pivots = _piece(f, order, m)
    sign = _piece(f, pivots, m)

    def number(k):
        """An index in all lanes."""
        k = f.new(f'trunc i64 {k} to i32') if t.size == 4 else k
        one = f.new(f'insertelement {ints} poison, i{8 * t.size} {k}, i64 0')
        return f.new(f'shufflevector {ints} {one}, {ints} poison, <{t.lanes} x i32> zeroinitializer')
    with f.loop('%lo', '%hi') as group:
        _move(f, v, group, 'interleave', 'a', w, elements)
        with f.loop(0, m) as i:
            f.store(ints, number(i), _element(f, order, i))
        parity = f.variable(ints, _constant(t, 1))

        def turn(k, below, chosen, moved, zero, factors, row):
            f.call('exchange', _element(f, order, k), _cell(t), 1, chosen, below)
            far = f.new(f'add {ints} {f.load(ints, chosen)}, {number(k)}')
            f.store(ints, far, _element(f, pivots, k))
            other = f.new(f'sub {ints} zeroinitializer, {f.get(parity)}')
            f.set(parity, f.new(f'select {_masks(t)} {moved}, {ints} {other}, {ints} {f.get(parity)}'))
        _eliminate(f, w, m, n, turn)
        f.store(ints, f.get(parity), sign)
        for name, cells, count in (('to', w, elements), ('order', order, m), ('sign', sign, 1),
                                   ('pivots', pivots, f.min(m, n))):
            _move(f, v, group, 'separate', name, cells, count)
    return f.text()


def _solve(t):
    """x in a x = b, with n right sides; an error where a pivot is 0."""
    f, v, w = _kernel(t, 'small_solve', 'a b to', 'm n a_step b_step to_step')
    m, n = v['m'], v['n']
    square, elements, row = f.mul(m, m), f.mul(m, n), f.mul(n, _cell(t))
    b = _piece(f, w, square)
    with f.loop('%lo', '%hi') as group:
        _move(f, v, group, 'interleave', 'a', w, square)
        _move(f, v, group, 'interleave', 'b', b, elements)
        failed = f.variable(_masks(t), 'zeroinitializer')

        def turn(k, below, chosen, moved, zero, factors, a_row):
            f.set(failed, f.new(f'or {_masks(t)} {f.get(failed)}, {zero}'))
            first = _element(f, b, k, row)
            f.branch(_any(f, moved), lambda: f.call('exchange', first, row, n, chosen, below))
            f.call('subtract', f.at(first, row), row, n, first, factors, a_row, below)
        _eliminate(f, w, m, m, turn)
        a_row = f.mul(m, _cell(t))
        with f.loop(0, m) as turn_:
            k = f.sub(f.sub(m, turn_), 1)
            first, column = _element(f, b, k, row), _element(f, w, k)
            _divide(f, first, n, _load(f, _element(f, column, k, a_row)))
            f.call('subtract', b, row, n, first, column, a_row, k)
        _report(f, v, f.get(failed))
        _move(f, v, group, 'separate', 'to', b, elements)
    return f.text()


def _divide(f, row, n, by):
    with f.loop(0, n) as j:
        place = _element(f, row, j)
        _store(f, f.new(f'fdiv {f.t.vector} {_load(f, place)}, {by}'), place)


def _triangular_solve(t):
    """x in a x = b for triangular a, whose element (i, k) is `down` i + `across` k into it, from the first row or
    the last on; an error where an element of the diagonal, unless it is not looked at, is 0."""
    f, v, w = _kernel(t, 'small_triangular_solve', 'a b to', 'm n a_step b_step to_step down across backwards unit')
    m, n, down, across = v['m'], v['n'], v['down'], v['across']
    square, elements, row = f.mul(m, m), f.mul(m, n), f.mul(n, _cell(t))
    b, backwards = _piece(f, w, square), f.test('ne', v['backwards'], 0)
    choose = lambda x, y: f.new(f'select i1 {backwards}, i64 {x}, i64 {y}')
    with f.loop('%lo', '%hi') as group:
        _move(f, v, group, 'interleave', 'a', w, square)
        _move(f, v, group, 'interleave', 'b', b, elements)
        failed = f.variable(_masks(t), 'zeroinitializer')
        with f.loop(0, m) as turn:
            last = f.sub(f.sub(m, turn), 1)
            k, start = choose(last, turn), choose(0, f.add(turn, 1))
            column, first = _element(f, w, k, across), _element(f, b, k, row)

            def divided():
                value = _load(f, _element(f, column, k, down))
                zero = f.new(f'fcmp oeq {t.vector} {value}, zeroinitializer')
                f.set(failed, f.new(f'or {_masks(t)} {f.get(failed)}, {zero}'))
                _divide(f, first, n, value)
            f.branch(f.test('eq', v['unit'], 0), divided)
            f.call('subtract', _element(f, b, start, row), row, n, first, _element(f, column, start, down), down, last)
        _report(f, v, f.get(failed))
        _move(f, v, group, 'separate', 'to', b, elements)
    return f.text()


# --- eigenvalues ----------------------------------------------------------------------------------------------------

SWEEPS = 40                             # far more than Jacobi's method takes for what is finite


def _number(t, value):
    return '<' + ', '.join([f'{t.scalar} {value!r}'] * t.lanes) + '>'


def rotate(t):
    """Two rows, and with them two columns where there are any, by a rotation: (c x - s y, s x + c y)."""
    f = function(t, 'rotate')
    c, s = _load(f, '%rotation'), _load(f, f.at('%rotation', _cell(t)))
    minus, p, q = f.new(f'fneg {t.vector} {s}'), f.variable('ptr', '%p_column'), f.variable('ptr', '%q_column')

    def columns(j, together):
        for k in range(together):
            at = [f.at(_element(f, row, j), k * _cell(t)) for row in ('%p', '%q')]
            x, y = (_load(f, place) for place in at)
            new = (f.multiply_add(c, x, f.new(f'fmul {t.vector} {minus}, {y}')),
                   f.multiply_add(s, x, f.new(f'fmul {t.vector} {c}, {y}')))
            for value, place, column in zip(new, at, (p, q)):
                _store(f, value, place)
                _store(f, value, f.get(column))
                f.advance(column, '%step')
    _tiles(f, '%count', columns)
    return f.text()


def _eigh(t, vectors=True):
    """Eigenvalues, rising, and vectors of symmetric matrices, of which the lower triangle is read; NaN where an element
    isn't finite.

    Cyclic Jacobi rotations (Golub and Van Loan, Matrix Computations, 8.5) until no element beside the diagonal is
    larger than an eighth of the machine precision times the largest of all. A lane where it isn't rotates by 0.
    """
    f, v, w = _kernel(t, 'small_eigh' if vectors else 'small_eigvalsh', 'a values vectors' if vectors else 'a values',
                      'n a_step values_step vectors_step' if vectors else 'n a_step values_step')
    n, row = v['n'], f.mul(v['n'], _cell(t))
    square, one, zero = f.mul(n, n), _number(t, 1.0), 'zeroinitializer'
    found = _piece(f, w, square)
    values = _piece(f, found, square)
    rotation = f.fixed(f'[2 x {t.vector}]')
    element = lambda base, i, j: _element(f, _element(f, base, i, row), j)
    divided = lambda x, y: f.new(f'fdiv {t.vector} {x}, {y}')

    def start(limit, broken):
        with f.loop(0, n) as i:
            with f.loop(0, f.add(i, 1)) as j:
                x = _load(f, element(w, i, j))
                _store(f, x, element(w, j, i))
                size = _call(f, 'fabs', x)
                f.set(limit, _select(f, f.new(f'fcmp ogt {t.vector} {size}, {f.get(limit)}'), size, f.get(limit)))
                f.set(broken, f.multiply_add(x, zero, f.get(broken)))
            if vectors:
                with f.loop(0, n) as j:
                    _store(f, zero, element(found, i, j))
                _store(f, one, element(found, i, i))
        f.set(limit, f.new(f'fmul {t.vector} {f.get(limit)}, {_number(t, 2.0 ** (-26 if t.size == 4 else -55))}'))

    def turn(p, q, large):
        """The rotation that makes element (p, q) 0, in the lanes where it is large."""
        pp, pq, qq = (_load(f, element(w, i, j)) for i, j in ((p, p), (p, q), (q, q)))
        theta = divided(f.new(f'fsub {t.vector} {qq}, {pp}'), f.new(f'fadd {t.vector} {pq}, {pq}'))
        size = _call(f, 'fabs', theta)
        tangent = divided(one, f.new(f'fadd {t.vector} {size}, {_call(f, "sqrt", f.multiply_add(theta, theta, one))}'))
        negative = f.new(f'fcmp olt {t.vector} {theta}, {zero}')
        tangent = _select(f, negative, f.new(f'fneg {t.vector} {tangent}'), tangent)
        tangent = _select(f, large, tangent, zero)
        cosine = divided(one, _call(f, 'sqrt', f.multiply_add(tangent, tangent, one)))
        _store(f, cosine, rotation)
        _store(f, f.new(f'fmul {t.vector} {cosine}, {tangent}'), f.at(rotation, _cell(t)))
        rows, columns = [_element(f, w, i, row) for i in (p, q)], [_element(f, w, i) for i in (p, q)]
        f.call('rotate', *rows, *columns, row, n, rotation)
        left = _select(f, large, zero, pq)
        _store(f, f.multiply_add(f.new(f'fneg {t.vector} {tangent}'), pq, pp), element(w, p, p))
        _store(f, f.multiply_add(tangent, pq, qq), element(w, q, q))
        _store(f, left, element(w, p, q))
        _store(f, left, element(w, q, p))
        if vectors:
            own = [_element(f, found, i, row) for i in (p, q)]
            f.call('rotate', *own, *own, _cell(t), n, rotation)

    def sweep(limit, again):
        f.set(again, 'false')
        with f.loop(0, n) as p:
            with f.loop(f.add(p, 1), n) as q:
                large = f.new(f'fcmp ogt {t.vector} {_call(f, "fabs", _load(f, element(w, p, q)))}, {f.get(limit)}')
                some = _any(f, large)
                f.set(again, f.new(f'or i1 {f.get(again)}, {some}'))
                f.branch(some, lambda: turn(p, q, large))

    def order():
        """Exchange values, and rows of vectors, until they rise."""
        with f.loop(0, n) as i:
            with f.loop(f.add(i, 1), n) as j:
                at = [_element(f, values, k) for k in (i, j)]
                x, y = (_load(f, place) for place in at)
                falls = f.new(f'fcmp olt {t.vector} {y}, {x}')

                def exchanged(i_at, j_at):
                    x, y = _load(f, i_at), _load(f, j_at)
                    _store(f, _select(f, falls, y, x), i_at)
                    _store(f, _select(f, falls, x, y), j_at)

                def both():
                    exchanged(*at)
                    if vectors:
                        with f.loop(0, n) as k:
                            exchanged(element(found, i, k), element(found, j, k))
                f.branch(_any(f, falls), both)
    with f.loop('%lo', '%hi') as group:
        _move(f, v, group, 'interleave', 'a', w, square)
        limit, broken, again = f.variable(t.vector, zero), f.variable(t.vector, zero), f.variable('i1', 'true')
        start(limit, broken)
        with f.loop(0, SWEEPS):
            f.branch(f.get(again), lambda: sweep(limit, again))
        with f.loop(0, n) as i:
            _store(f, f.new(f'fadd {t.vector} {_load(f, element(w, i, i))}, {f.get(broken)}'), _element(f, values, i))
        order()
        _move(f, v, group, 'separate', 'values', values, n)
        if vectors:
            with f.loop(0, n) as i:
                with f.loop(0, n) as j:
                    x = _load(f, element(found, j, i))
                    _store(f, f.new(f'fadd {t.vector} {x}, {f.get(broken)}'), element(w, i, j))
            _move(f, v, group, 'separate', 'vectors', w, square)
        f.branch(f.get(again), lambda: f.store('i64', 1, v['error']))
    return f.text()


def _eigvalsh(t):
    return _eigh(t, False)


_PARTS = {'turn': (square, _turn),
          'small_cholesky': (interleave, separate, _cholesky),
          'small_lu': (interleave, separate, pivot, exchange, subtract, _lu),
          'small_solve': (interleave, separate, pivot, exchange, subtract, _solve),
          'small_triangular_solve': (interleave, separate, subtract, _triangular_solve),
          'small_eigh': (interleave, separate, rotate, _eigh),
          'small_eigvalsh': (interleave, separate, rotate, _eigvalsh)}
