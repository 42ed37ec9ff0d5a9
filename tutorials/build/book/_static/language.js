// The other language opens at the part that is being read: each part has one anchor in all languages.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a.language");
  if (!link) return;
  const above = [...document.querySelectorAll("section[id], span[id]")].filter(
    (part) => part.getBoundingClientRect().top < 120,
  );
  const part = above.filter((part) => /^[a-z0-9-]+$/.test(part.id)).pop();
  if (part) link.hash = part.id;
});
