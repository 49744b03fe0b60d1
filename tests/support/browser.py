"""A headless Chromium, driven by selenium, that can open only files, to test pages."""

import json
import shutil

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

# A script that returns texts with a contrast below 4.5, from the colours as they are drawn.
CONTRAST = """
const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
canvas.canvas.width = canvas.canvas.height = 1;
function drawn(colours) {
  for (const colour of colours) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
  return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
}
function luminance(colours) {
  const [r, g, b] = drawn(colours).map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function behind(element) {
  const layers = [];
  for (let at = element; at; at = at.parentElement)
    layers.unshift(getComputedStyle(at).backgroundColor);
  return ["canvas", ...layers];
}
const poor = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const text = walker.currentNode.textContent.trim(), parent = walker.currentNode.parentElement;
  if (!text || parent.closest("script, style, option") || !parent.checkVisibility()) continue;
  const ground = behind(parent);
  const [a, b] = [luminance(ground), luminance([...ground, getComputedStyle(parent).color])];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < 4.5) poor.push(`${text.slice(0, 40)} (${parent.className}): ${ratio.toFixed(2)}`);
}
return [...new Set(poor)];
"""


class Browser:
    """A browser with one window; `open` loads a page in a given size, scheme and medium."""

    def __init__(self):
        options = ChromeOptions()
        options.binary_location = shutil.which("chromium") or "chromium is not installed"
        for switch in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage"):
            options.add_argument(f"--{switch}")
        options.add_argument("--host-resolver-rules=MAP * ~NOTFOUND")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        service = Service(shutil.which("chromedriver") or "chromedriver is not installed")
        self.driver = Chrome(options, service)

    def close(self):
        self.driver.quit()

    def open(self, path, fragment="", width=1200, height=900, **media):
        self.driver.get("about:blank")
        self.noise()
        self.driver.set_window_size(width, height)
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.emulate(**media)
        self.driver.get(path.as_uri() + fragment)

    def emulate(self, scheme="light", media=""):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        told = {"media": media, "features": features}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", told)

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def count(self):
        """Start to count the page's work, with times in processor time of its thread."""
        self.driver.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
        self.driver.execute_cdp_cmd("Profiler.enable", {})
        counted = {"callCount": True, "detailed": True}
        self.driver.execute_cdp_cmd("Profiler.startPreciseCoverage", counted)

    def spent(self, script, *arguments):
        """The page's work for a script: blocks entered, seconds, and the browser's metrics."""
        self._blocks()
        before = self._metrics()
        self.run(script, *arguments)
        spent = {name: value - before[name] for name, value in self._metrics().items()}
        seconds = sum(spent[f"{part}Duration"] for part in ("Script", "Layout", "RecalcStyle"))
        return {**spent, "blocks": self._blocks(), "seconds": seconds}

    def _metrics(self):
        told = self.driver.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
        return {one["name"]: one["value"] for one in told}

    def _blocks(self):
        """How often blocks of the page's own script were entered since the last call."""
        told = self.driver.execute_cdp_cmd("Profiler.takePreciseCoverage", {})["result"]
        own = [one for one in told if one["url"].startswith("file:")]
        parts = [
            part for one in own for function in one["functions"] for part in function["ranges"]
        ]
        return sum(part["count"] for part in parts)

    def noise(self):
        """Messages on the console and requested addresses since the last call."""
        said = [entry["message"] for entry in self.driver.get_log("browser")]
        events = [
            json.loads(one["message"])["message"] for one in self.driver.get_log("performance")
        ]
        asked = [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ]
        return said, asked

    def tree(self):
        """The accessibility tree in order, as tuples of role, name and level."""
        found = self.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
        return [_read(node) for node in found if not node["ignored"]]


def _read(node):
    said = {one["name"]: one["value"].get("value") for one in node.get("properties", [])}
    name = node.get("name", {}).get("value", "")
    return node["role"]["value"], name.strip(), said.get("level")
