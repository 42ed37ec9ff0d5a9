"""Wrong answers to the exercises of lesson 8."""

import math

from planted_answers import wrong


@wrong("8.1", "layer before")
def output_sizes(size, layers):
    return [(size + 2 * p - k) // s + 1 for k, s, p in layers]


@wrong("8.1", "both sides")
def output_sizes(size, layers):  # noqa: F811 - the name is what the exercise asks for
    out = []
    for k, s, p in layers:
        size = (size + p - k) // s + 1
        out.append(size)
    return out


@wrong("8.1", "fractions")
def output_sizes(size, layers):  # noqa: F811 - as above
    out = []
    for k, s, p in layers:
        size = (size + 2 * p - k) / s + 1
        out.append(size)
    return out


@wrong("8.1", "round up")
def output_sizes(size, layers):  # noqa: F811 - as above
    out = []
    for k, s, p in layers:
        size = math.ceil((size + 2 * p - k) / s) + 1
        out.append(size)
    return out


@wrong("8.1", "before you divide")
def output_sizes(size, layers):  # noqa: F811 - as above
    out = []
    for k, s, p in layers:
        size = (size + 2 * p - k + 1) // s
        out.append(size)
    return out


@wrong("8.1", "stride only")
def output_sizes(size, layers):  # noqa: F811 - as above
    out = []
    for _, s, _ in layers:
        out.append(size // s)
        size = out[-1]
    return out


@wrong("8.1", "image itself")
def output_sizes(size, layers):  # noqa: F811 - as above
    out = [size]
    for k, s, p in layers:
        out.append((out[-1] + 2 * p - k) // s + 1)
    return out


@wrong("8.1", "one for each layer")
def output_sizes(size, layers):  # noqa: F811 - as above
    for k, s, p in layers:
        size = (size + 2 * p - k) // s + 1
    return [size]


@wrong("8.2", "γ and β, two")
def bottleneck_parameters(in_channels, channels, stride):
    count = in_channels * channels + 9 * channels**2 + 4 * channels**2
    if stride != 1 or in_channels != 4 * channels:
        count += in_channels * 4 * channels
    return count


@wrong("8.2", "projection is missing")
def bottleneck_parameters(in_channels, channels, stride):  # noqa: F811 - as above
    convolutions = in_channels * channels + 9 * channels**2 + 4 * channels**2
    return convolutions + 2 * (channels + channels + 4 * channels)


@wrong("8.2", "stride alone")
def bottleneck_parameters(in_channels, channels, stride):  # noqa: F811 - as above
    out = 4 * channels
    count = in_channels * channels + 9 * channels**2 + channels * out
    count += 2 * channels + 2 * channels + 2 * out
    if stride != 1:
        count += in_channels * out + 2 * out
    return count


@wrong("8.2", "as wide behind as in the middle")
def bottleneck_parameters(in_channels, channels, stride):  # noqa: F811 - as above
    count = in_channels * channels + 9 * channels**2 + channels**2 + 6 * channels
    if stride != 1 or in_channels != channels:
        count += in_channels * channels + 2 * channels
    return count


@wrong("8.2", "have a bias: they have none")
def bottleneck_parameters(in_channels, channels, stride):  # noqa: F811 - as above
    def layer(C, O, K):
        return O * C * K**2 + O + 2 * O

    count = layer(in_channels, channels, 1) + layer(channels, channels, 3) + layer(channels, 4 * channels, 1)
    return count + (stride > 1 or in_channels != 4 * channels) * layer(in_channels, 4 * channels, 1)


@wrong("8.2", "in_channels with `channels`")
def bottleneck_parameters(in_channels, channels, stride):  # noqa: F811 - as above
    def layer(C, O, K):
        return O * C * K**2 + 2 * O

    count = layer(in_channels, channels, 1) + layer(channels, channels, 3) + layer(channels, 4 * channels, 1)
    if in_channels != channels or stride != 1:
        count += layer(in_channels, 4 * channels, 1)
    return count


@wrong("8.2", "write `or`")
def bottleneck_parameters(in_channels, channels, stride):  # noqa: F811 - as above
    def layer(C, O, K):
        return O * C * K**2 + 2 * O

    count = layer(in_channels, channels, 1) + layer(channels, channels, 3) + layer(channels, 4 * channels, 1)
    if in_channels != 4 * channels and stride != 1:
        count += layer(in_channels, 4 * channels, 1)
    return count


@wrong("8.2", "added to the branch")
def bottleneck_parameters(in_channels, channels, stride):  # noqa: F811 - as above
    def layer(C, O, K):
        return O * C * K**2 + 2 * O

    count = layer(in_channels, channels, 1) + layer(channels, channels, 3) + layer(channels, 4 * channels, 1)
    if in_channels != 4 * channels or stride != 1:
        count += layer(in_channels, channels, 1)
    return count


@wrong("8.2", "it has 9")
def bottleneck_parameters(in_channels, channels, stride):  # noqa: F811 - as above
    def layer(C, O, K):
        return O * C * K + 2 * O

    count = layer(in_channels, channels, 1) + layer(channels, channels, 3) + layer(channels, 4 * channels, 1)
    if in_channels != 4 * channels or stride != 1:
        count += layer(in_channels, 4 * channels, 1)
    return count


@wrong("8.2", "buffers")
def bottleneck_parameters(in_channels, channels, stride):  # noqa: F811 - as above
    def layer(C, O, K):
        return O * C * K**2 + 4 * O

    count = layer(in_channels, channels, 1) + layer(channels, channels, 3) + layer(channels, 4 * channels, 1)
    return count + (stride > 1 or in_channels != 4 * channels) * layer(in_channels, 4 * channels, 1)


@wrong("8.2", "constants")
def bottleneck_parameters(in_channels, channels, stride):  # noqa: F811 - as above
    return 70400


@wrong("8.3", "stage before")
def cifar_multiply_adds(n, size):
    counts = [3 * 16 * 9 * size**2]
    for k in range(3):
        counts.append(2 * n * 9 * (16 * 2**k) ** 2 * (size // 2**k) ** 2)
    return [*counts, 640]


@wrong("8.3", "halved")
def cifar_multiply_adds(n, size):  # noqa: F811 - as above
    conv = 9 * size**2
    return [
        48 * conv,
        2 * n * 256 * conv,
        (16 * 32 + (2 * n - 1) * 32 * 32) * conv,
        (32 * 64 + (2 * n - 1) * 64 * 64) * conv,
        640,
    ]


@wrong("8.3", "two convolutions each")
def cifar_multiply_adds(n, size):  # noqa: F811 - as above
    counts = [3 * 16 * 9 * size**2, n * 256 * 9 * size**2]
    for c in (32, 64):
        size //= 2
        counts.append(9 * size**2 * (c * c // 2 + (n - 1) * c * c))
    return [*counts, 64 * 10]


@wrong("8.3", "2n + 1 convolutions")
def cifar_multiply_adds(n, size):  # noqa: F811 - as above
    counts = [3 * 16 * 9 * size**2, (2 * n + 1) * 256 * 9 * size**2]
    for c in (32, 64):
        size //= 2
        counts.append(9 * size**2 * (c * c // 2 + 2 * n * c * c))
    return [*counts, 64 * 10]


@wrong("8.3", "before the first stage")
def cifar_multiply_adds(n, size):  # noqa: F811 - as above
    counts = [3 * 16 * 9 * size**2]
    before = 16
    for c in (16, 32, 64):
        size //= 2
        counts.append(9 * size**2 * (before * c + (2 * n - 1) * c * c))
        before = c
    return [*counts, 64 * 10]


@wrong("8.3", "the sum")
def cifar_multiply_adds(n, size):  # noqa: F811 - as above
    total = 3 * 16 * 9 * size**2 + 2 * n * 256 * 9 * size**2
    for c in (32, 64):
        size //= 2
        total += 9 * size**2 * (c * c // 2 + (2 * n - 1) * c * c)
    return total + 640


@wrong("8.3", "parameters")
def cifar_multiply_adds(n, size):  # noqa: F811 - as above
    counts = [3 * 16 * 9, 2 * n * 256 * 9]
    for c in (32, 64):
        counts.append(9 * (c * c // 2 + (2 * n - 1) * c * c))
    return [*counts, 64 * 10]


@wrong("8.3", "operations")
def cifar_multiply_adds(n, size):  # noqa: F811 - as above
    counts = [3 * 16 * 9 * size**2, 2 * n * 256 * 9 * size**2]
    for c in (32, 64):
        size //= 2
        counts.append(9 * size**2 * (c * c // 2 + (2 * n - 1) * c * c))
    return [2 * count for count in (*counts, 64 * 10)]


@wrong("8.3", "average pool")
def cifar_multiply_adds(n, size):  # noqa: F811 - as above
    counts = [3 * 16 * 9 * size**2, 2 * n * 256 * 9 * size**2]
    for c in (32, 64):
        size //= 2
        counts.append(9 * size**2 * (c * c // 2 + (2 * n - 1) * c * c))
    return [*counts, 64 * size**2 * 10]


@wrong("8.1", "in front")
def output_sizes(size, layers):  # noqa: F811 - as above
    out = []
    for k, s, p in layers:
        size = (size - k) // s + 2 * p + 1
        out.append(size)
    return out


@wrong("8.1", "you subtract K − 1")
def output_sizes(size, layers):  # noqa: F811 - as above
    out = []
    for k, s, p in layers:
        size = (size + 2 * p - (k - 1)) // s + 1
        out.append(size)
    return out


@wrong("8.2", "your last norm")
def bottleneck_parameters(in_channels, channels, stride):  # noqa: F811 - as above
    out = 4 * channels
    count = in_channels * channels + 9 * channels**2 + channels * out
    count += 3 * 2 * channels
    if stride != 1 or in_channels != out:
        count += in_channels * out + 2 * out
    return count


@wrong("8.3", "kind A")
def cifar_multiply_adds(n, size):  # noqa: F811 - as above
    counts = [3 * 16 * 9 * size**2, 2 * n * 9 * 16 * 16 * size**2]
    for width in (32, 64):
        size //= 2
        stage = 9 * (width // 2) * width + (2 * n - 1) * 9 * width**2
        projection = (width // 2) * width
        counts.append((stage + projection) * size**2)
    return [*counts, 640]


@wrong("8.3", "only the first one of a stage")
def cifar_multiply_adds(n, size):  # noqa: F811 - as above
    counts = [3 * 16 * 9 * size**2, 2 * n * 9 * 16 * 16 * size**2]
    for width in (32, 64):
        size //= 2
        blocks = 2 * (width // 2) * width + (n - 1) * 2 * width * width
        counts.append(9 * blocks * size**2)
    return [*counts, 640]
