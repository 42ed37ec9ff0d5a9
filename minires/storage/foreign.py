"""Weight files of other formats: recognized by their first bytes, with the way to convert them."""

TORCH = (
    "convert it where PyTorch is installed: safetensors.torch.save_file(torch.load(path, weights_only=True), "
    "'weights.safetensors')"
)
KINDS = (
    (b"PK\x03\x04", "a zip archive as PyTorch writes it", TORCH),
    (b"\x80", "a pickle, as PyTorch's .pth, .pt and .th files are", TORCH),
    (b"\x93NUMPY", "NumPy's .npy", "storage.save(path, {name: np.load(file)})"),
    (b"\x89HDF", "HDF5, as Keras writes it", "read it with h5py, and storage.save(path, {name: array, …})"),
    (b"GGUF", "GGUF", "look for the same weights as safetensors"),
    (b"version https://git-lfs", "a pointer of Git LFS", "fetch the file itself: git lfs pull"),
    (b"<", "a web page", "download it again"),
)


def explain(start):
    """The format of a file that begins with these bytes, with the remedy; "" if it is unknown."""
    if start.startswith(b"PK\x03\x04") and b".npy" in start:
        return "it is NumPy's .npz; storage.save(path, dict(np.load(file)))"
    for magic, what, remedy in KINDS:
        if start.startswith(magic):
            return f"it is {what}; {remedy}"
    return "" if start else "it is empty"
