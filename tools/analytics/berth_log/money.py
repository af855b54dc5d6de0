"""Money as the server counts it: 64-bit integer pico-USD, rounded once a bill line."""

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
US_PER_SECOND = 1_000_000
PICO_PER_MICRO = 1_000_000


def amount_pico_usd(price_pico_usd_per_second: int, duration_us: int) -> int | None:
    """Price * duration, cut to a whole pico-USD; nothing if 64 bits do not hold it."""
    product = price_pico_usd_per_second * duration_us
    amount = abs(product) // US_PER_SECOND
    amount = -amount if product < 0 else amount
    return amount if INT64_MIN <= amount <= INT64_MAX else None


def round_to_micro_usd(pico_usd: int) -> int:
    """Half to even."""
    whole, rest = divmod(pico_usd, PICO_PER_MICRO)
    half = PICO_PER_MICRO // 2
    return whole + (rest > half or (rest == half and whole % 2 == 1))


def add_amounts(a: int, b: int) -> int | None:
    """Nothing if the sum does not fit."""
    total = a + b
    return total if INT64_MIN <= total <= INT64_MAX else None


def usd(micro_usd: int) -> str:
    """1234567 -> 1.234567"""
    whole, rest = divmod(abs(micro_usd), 1_000_000)
    return f"{'-' if micro_usd < 0 else ''}{whole}.{rest:06d}"
