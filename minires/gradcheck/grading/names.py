"""What people call an op's arrays and settings: `image, kernel, step, pad` are conv2d's x, weight, stride, padding.

Names are compared in small letters and without underscores, and Korean ones in English. What an op calls a thing itself
comes first.
"""

import re

X = "x input inputs inp image images img imgs data a aprev ain features feature featuremap fmap batch xbatch arr array"
SCORES = "logits scores score logit z x o output outputs out pred preds prediction predictions yhat ypred input a"
TARGET = "target targets t y label labels ytrue truth classes ys onehot gt"
WEIGHT = "w weights kernel kernels filter filters f k theta wt"
SCALE = "gamma g scale w weights gain"
BIAS = "b biases bias beta shift offset"
# Parameters that are True or False, and the arguments that a function has with True alone.
FLAGS = {
    ("bias",): "bias usebias withbias hasbias addbias includebias center centre",
    ("weight",): "scale usescale",
    ("weight", "bias"): "affine elementwiseaffine useaffine withaffine learnable",
}
KEPT = "keep keepprob keepprobability keeprate keepratio keepp pkeep probkeep retain retainprob"  # 1 − p of a dropout

# op -> {argument: names}; what is not here is called by the op's own name or stands in the op's order
ARRAYS = {
    "conv2d": {"x": X, "weight": WEIGHT, "bias": BIAS},
    "linear": {"x": X, "weight": WEIGHT, "bias": BIAS},
    "batch_norm": {"x": X, "weight": SCALE, "bias": BIAS},
    "batch_norm_relu": {"x": X, "weight": SCALE, "bias": BIAS},
    "layer_norm": {"x": X, "weight": SCALE, "bias": BIAS},
    "group_norm": {"x": X, "weight": SCALE, "bias": BIAS},
    "conv_norm": {"x": X, "weight": WEIGHT, "gamma": "gamma g scale", "beta": "beta shift offset"},
    "cross_entropy": {"logits": SCORES, "target": TARGET},
    "nll_loss": {"log_p": "logp logprobs logprobabilities logsoftmax " + SCORES, "target": TARGET},
    "mse_loss": {"input": SCORES, "target": TARGET},
    "l1_loss": {"input": SCORES, "target": TARGET},
    "smooth_l1_loss": {"input": SCORES, "target": TARGET},
    "binary_cross_entropy_with_logits": {"input": SCORES, "target": TARGET},
    "residual_add": {"x": "x identity shortcut skip input inp residual", "f": "f fx fofx branch out main"},
    "residual_add_relu": {"x": "x identity shortcut skip input inp residual", "f": "f fx fofx branch out main"},
    "add": {"a": "a x x1 lhs left", "b": "b y x2 rhs right"},
    "scaled_dot_product_attention": {"query": "q query queries", "key": "k key keys", "value": "v value values val"},
    "matmul": {"a": "a x x1 lhs left", "b": "b y w x2 rhs right"},
}

SETTINGS = {
    "stride": "stride strides step steps s hop stridesize poolstride convstride",
    "padding": "padding pad pads p padsize padwidth padding2d zeropad zeropadding border convpad",
    "dilation": "dilation dilations dil d dilationrate atrous",
    "groups": "groups group g ngroups numgroups",
    "kernel_size": "kernelsize kernel k ksize ks size poolsize pool window windowsize win f filtersize filter "
    "kernelshape poolshape poolingsize hw",
    "training": "training train istraining istrain trainflg trainflag trainmode trainingmode",
    "eps": "eps epsilon e epsi",
    "momentum": "momentum mom decay",
    "running_mean": "runningmean movingmean runmean runningmu rm meanrunning",
    "running_var": "runningvar movingvar runvar runningvariance movingvariance rv varrunning",
    "num_groups": "numgroups groups group g ngroups",
    "dim": "dim axis axes dims",
    "keepdim": "keepdim keepdims",
    "correction": "correction ddof",
    "negative_slope": "negativeslope slope alpha leak negslope a leakiness",
    "reduction": "reduction reduce red",
    "label_smoothing": "labelsmoothing smoothing smooth epsilon eps",
    "ignore_index": "ignoreindex ignore ignored ignorelabel",
    "weight": "weight weights classweight classweights w",
    "pos_weight": "posweight positiveweight",
    "output_size": "outputsize outsize size output out",
    "p": f"p prob dropprob dropoutprob dropoutratio dropoutrate rate dropout droprate ratio dropp pdrop {KEPT}",
    "beta": "beta delta threshold",
    "min": "min low lower amin lo minimum minval",
    "max": "max high upper amax hi maximum maxval",
    "shape": "shape newshape size",
    "dims": "dims axes perm order permutation",
    "dim0": "dim0 axis0 axis1",
    "dim1": "dim1 axis1 axis2",
    "pad": "pad padding pads padwidth widths",
    "value": "value constant fill constantvalue",
    "rng": "rng seed generator random",
    "normalized_shape": "normalizedshape shape",
    "start_dim": "startdim start",
    "end_dim": "enddim end",
    "approximate": "approximate approx",
    "equation": "equation eq subscripts",
    "ceil_mode": "ceilmode ceil",
    "attn_mask": "attnmask mask attentionmask",
    "is_causal": "iscausal causal",
    "dropout_p": "dropoutp dropout p prob dropoutrate dropprob",
    "scale": "scale factor",
    "count_include_pad": "countincludepad",
}

# Settings for the rows and the columns, each on its own: (setting, which of the two)
HALVES = {
    **dict.fromkeys(
        ("poolheight", "poolh", "kernelheight", "kh", "hh", "kernelh", "fh", "windowheight"), ("kernel_size", 0)
    ),
    **dict.fromkeys(
        ("poolwidth", "poolw", "kernelwidth", "kw", "ww", "kernelw", "fw", "windowwidth"), ("kernel_size", 1)
    ),
    **dict.fromkeys(("strideh", "sh", "stridey", "strideheight", "strider"), ("stride", 0)),
    **dict.fromkeys(("stridew", "sw", "stridex", "stridewidth", "stridec"), ("stride", 1)),
    **dict.fromkeys(("padh", "pady", "padheight", "paddingh"), ("padding", 0)),
    **dict.fromkeys(("padw", "padx", "padwidth", "paddingw"), ("padding", 1)),
}


# What Korean students call things -> one of the names above or below
KOREAN = {
    "입력": "input",
    "이미지": "image",
    "특징": "features",
    "데이터": "data",
    "로짓": "logits",
    "점수": "scores",
    "예측": "pred",
    "정답": "target",
    "레이블": "label",
    "라벨": "label",
    "가중치": "weight",
    "커널": "kernel",
    "필터": "filter",
    "감마": "gamma",
    "베타": "beta",
    "편향": "bias",
    "절편": "bias",
    "크기": "size",
    "커널크기": "kernelsize",
    "필터크기": "kernelsize",
    "창크기": "windowsize",
    "풀크기": "poolsize",
    "높이": "kh",
    "너비": "kw",
    "보폭": "stride",
    "스트라이드": "stride",
    "간격": "stride",
    "패딩": "padding",
    "채움": "padding",
    "팽창": "dilation",
    "그룹": "groups",
    "그룹수": "numgroups",
    "학습": "training",
    "훈련": "training",
    "학습중": "training",
    "훈련중": "training",
    "확률": "prob",
    "모드": "mode",
    "엡실론": "eps",
    "모멘텀": "momentum",
    "이동평균": "runningmean",
    "이동분산": "runningvar",
    "축": "axis",
    "비율": "rate",
    "드롭률": "droprate",
    "유지확률": "keepprob",
    "시드": "seed",
    "마스크": "mask",
    "질의": "query",
    "쿼리": "query",
    "키": "key",
    "값": "value",
    "출력": "output",
    "손실": "loss",
    "캐시": "cache",
    "학습률": "lr",
    "입력채널": "inchannels",
    "출력채널": "outchannels",
    "설정": "params",
}


def _words(text):
    return text.split()


UPSTREAM = _words(
    "dy dout doutput gradoutput gradout gradoutputs grad gradient gradients g dz dl dldy dldout delta upstream gy "
    "da dh do dlogits upstreamgrad upstreamgradient grady dloss topdiff dupstream outgrad outputgrad dldz derror "
    "error dnext dxnext ddy gout gradz dyhat gradupstream dvalues doutputs dlda gradin 상류기울기 기울기 d출력"
)
UNCLEAR = ("g", "error", "delta", "grad", "gradin")  # which may be something else
CACHE = _words("cache caches ctx context saved memory mem tape state cached stash store cache0 savedtensors")
OUTPUT = ("y", "out", "output", "yout", "z", "outputs", "s", "a", "probs", "prob")
CLEARLY_OUTPUT = ("y", "out", "output", "yout", "outputs", "s", "probs", "prob")  # of a backward without a target
IS_DICT = (
    "param",
    "params",
    "hparams",
    "hparameters",
    "parameters",
    "config",
    "cfg",
    "options",
    "opts",
    "settings",
    "hyper",
)
MODE = "mode"
LOSS = _words("loss value cost error y out output l")  # keys of a dict that a loss returns
GRADIENTS = _words("grad grads gradient gradients")  # that of a loss's x, or a dict or tuple of several
BACKWARDS = ("backward", "bwd", "backprop", "grad", "vjp", "bprop", "deriv", "prime", "back", "역전파")
# A name that says both: forward_backward, value_and_grad, grad_and_loss; softmax_with_loss_backward does not.
_FRONT = "(?:forward|fwd|fprop|value|loss|cost)"
_BACK = f"(?:{'|'.join(BACKWARDS)})"
BOTH = re.compile(
    rf"(?:_|{_FRONT})(?:and|with|plus)_?(?:its_?|the_?|[df])?{_BACK}"
    rf"|{_BACK}[a-z]*_?(?:and|with|plus)_?(?:its_?|the_?)?{_FRONT}"
    r"|(?:forward|fwd|fprop)_?(?:back|bwd|bprop)|(?:backward|bwd|bprop)_?(?:forward|fwd|fprop)"
)
RATES = _words("lr learningrate eta stepsize")  # of a layer that takes a step of training itself

# What the layers of classes call their sizes -> how many there are, by the shape of the weight or of x
SIZES = {
    "out": "outchannels outc cout outch o nout outfeatures outputdim outdim outputsize nfilters numfilters filters "
    "units channelsout nfilter numkernels outputchannels hiddensize noutputs outsize fout outplanes dout",
    "in": "inchannels inc cin inch c i nin infeatures inputdim indim inputsize channelsin numchannels nchannels "
    "channels inputchannels ninputs insize fin inplanes din numfeatures nfeatures features dim d size n "
    "normalizedshape",
}


def plain(name):
    """A name as it is compared."""
    short = name.lower().replace("_", "").strip()
    return KOREAN.get(short, short)


def array_of(standard, name):
    """Which argument of the op an array is called after, or None."""
    known = ARRAYS.get(standard.name, {})
    if name in standard.arguments:
        return name
    short = plain(name)
    for argument in standard.arguments:
        first = argument == standard.arguments[0] and argument not in known
        if short == plain(argument) or short in known.get(argument, X if first else "").split():
            return argument
    return None


def setting_of(standard, name):
    """Which setting of the op a name stands for: its name, (its name, 0 or 1) for one axis, or None."""
    if name in standard.settings:
        return name
    short = plain(name)
    for setting in standard.settings:
        if short == plain(setting):
            return setting
    for setting in standard.settings:
        if short in SETTINGS.get(setting, "").split():
            return setting
    half = HALVES.get(short)
    return half if half and half[0] in standard.settings else None


def flag_of(standard, parameter):
    """The arguments that a parameter with a default of True or False switches off, as bias and affine do; or ()."""
    if not isinstance(parameter.default, bool):
        return ()
    found = next((arguments for arguments, words in FLAGS.items() if plain(parameter.name) in words.split()), ())
    return found if set(found) <= standard.optional or standard.name == "batch_norm" else ()


def is_no_flag(standard, name):
    """Whether a parameter's name is that of a setting which is never True or False, as scale and eps."""
    setting = setting_of(standard, name)
    return isinstance(setting, str) and not isinstance(standard.settings[setting], bool)


def is_cache(standard, name):
    """Whether a parameter is what a forward has kept; of a dropout and a ReLU that is a mask."""
    return plain(name) in CACHE or (plain(name) == "mask" and "attn_mask" not in standard.settings)


def is_kept(name):
    """Whether a parameter of a dropout is the probability to keep an element, 1 − p."""
    return plain(name) in KEPT.split()


def is_dropped(name):
    """Whether its name says that it is the probability to drop one: `p` alone may be either."""
    return plain(name) != "dropout" and "drop" in plain(name)


def is_dict_of_settings(name):
    """Whether a parameter is a dict of settings, as conv_param and hparameters are."""
    return plain(name).endswith(IS_DICT)


def gradient_of(standard, name, marked=False, own=None):
    """Which argument a gradient is named after: dx, dW, grad_b, d_gamma, W_grad and, unless marked, weight; or None.

    own: {argument: what the submission calls it}.
    """
    short = plain(name)
    stripped = [short.removeprefix(p) for p in ("gradient", "grad", "dl", "d") if short.startswith(p)]
    stripped += [short.removesuffix(p) for p in ("gradient", "grad", "기울기") if short.endswith(p)]
    words = stripped if marked else [*stripped, short]
    for argument, called in (own or {}).items():
        if plain(called) in words:
            return argument
    for word in words:
        if word and (argument := array_of(standard, word)):
            return argument
    return None


def says_backward(name):
    """Whether the name of a function has a word for a backward."""
    return any(word in name.lower() for word in BACKWARDS)


def looks_backward(name):
    """Whether a function is called a backward, and not a forward with its backward."""
    return says_backward(name) and BOTH.search(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()) is None


def size_of(name):
    """Which size of a layer a parameter of its constructor is: "in", "out" or None."""
    short = plain(name)
    return next((which for which, words in SIZES.items() if short in words.split()), None)
