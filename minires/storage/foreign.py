"""Weight files of other formats: recognized by their first bytes, with the way to convert them."""

KINDS = (
    (
        b"\x80",
        "a pickle, and not one of PyTorch's",
        "save its arrays with np.savez(path, **arrays), which is read here",
    ),
    (b"\x93NUMPY", "NumPy's .npy", "storage.save(path, {name: np.load(file)})"),
    (b"\x89HDF", "HDF5, as Keras writes it", "read it with h5py, and storage.save(path, {name: array, …})"),
    (b"GGUF", "GGUF", "look for the same weights as safetensors"),
    (b"version https://git-lfs", "a pointer of Git LFS", "fetch the file itself: git lfs pull"),
    (b"<", "a web page", "download it again"),
)


def explain(start):
    """The format of a file that begins with these bytes, with the remedy; "" if it is unknown."""
    for magic, what, remedy in KINDS:
        if start.startswith(magic):
            return f"it is {what}; {remedy}"
    return "" if start else "it is empty"
