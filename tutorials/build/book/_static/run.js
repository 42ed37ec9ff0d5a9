// A page that was opened as a file cannot run Python: a browser allows it from a server only.
document.addEventListener("click", (event) => {
  if (location.protocol !== "file:" || !event.target.closest("a.run")) return;
  event.preventDefault();
  const command = "python -m tutorials.build serve";
  alert(document.documentElement.lang === "ko" ? `먼저 실행하세요: ${command}` : `First run: ${command}`);
});
