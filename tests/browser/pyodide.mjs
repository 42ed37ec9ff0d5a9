// node pyodide.mjs JSON: runs pytest in Pyodide. The exit status is pytest's.
// The JSON has: pyodide, the folder of a distribution, so that nothing is fetched; packages, a folder of Python packages
// that it lacks; tests, the folder of the tests; words, pytest's arguments.
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const given = JSON.parse(process.argv[2]);
const { loadPyodide } = await import(pathToFileURL(join(given.pyodide, "pyodide.mjs")));
const pyodide = await loadPyodide({ indexURL: given.pyodide, env: { PYTHONDONTWRITEBYTECODE: "1" } });
await pyodide.loadPackage(["numpy", "pillow", "matplotlib", "pygments", "threadpoolctl"], { messageCallback: () => {} });
for (const name of ["packages", "tests"]) {
  pyodide.FS.mkdir("/" + name);
  pyodide.mountNodeFS("/" + name, given[name]);
}
pyodide.globals.set("words", pyodide.toPy(given.words));
process.exit(await pyodide.runPythonAsync(`
import os, sys
sys.path.append("/packages")
os.chdir("/tests")
import pytest
int(pytest.main(["-p", "no:cacheprovider", "--capture=sys", "--basetemp=/tmp/pytest", *words]))
`));
