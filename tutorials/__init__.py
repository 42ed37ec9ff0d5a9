"""The lessons: their sources, what is built of them, and how answers to their exercises are marked."""
