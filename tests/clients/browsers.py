"""Chromium and Firefox: each with a profile of its own, and as little to say to others as it can.

Debian packages chromium and firefox-esr. They are slower to start than all others, open a second
connection on a suspicion, and are not part of CI: `python -m tests.clients browsers`.
"""

from __future__ import annotations

import shutil

from tests.clients.programs import Program

WITHIN_MS = 60.0
PATIENCE_S = 40
# Those of scenarios.toml that separate them.
SCENARIOS = (
    "healthy",
    "v6-resets",
    "v6-slow-220",
    "v6-slow-275",
    "v6-slow-400",
    "v6-slow-600",
    "both-slow-400",
    "v6-slow-400-v4-resets",
    "v6-loses-a-syn",
    "v6-dead",
    "two-v6-dead",
    "first-v6-dead-v4-resets",
    "first-v6-dead-no-a",
    "two-v6-dead-v4-resets",
    "two-v6-reset-third-works",
    "first-v6-resets",
    "first-v6-resets-second-slow",
    "v6-slow-600-v4-slow-220",
    "half-dead",
    "v4-dead",
    "no-aaaa",
    "aaaa-late-200",
    "a-late-700",
    "aaaa-servfail",
    "both-late-100",
    "aaaa-silent",
    "a-silent",
)
_WITHOUT = "HttpsUpgrades,HttpsFirstBalancedModeAutoEnable,DnsOverHttps,OptimizationHints"
_CHROMIUM = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    f"--disable-features={_WITHOUT}",
)
_FIREFOX = """
user_pref("app.normandy.enabled", false);
user_pref("app.update.enabled", false);
user_pref("browser.aboutwelcome.enabled", false);
user_pref("browser.region.update.enabled", false);
user_pref("browser.safebrowsing.malware.enabled", false);
user_pref("browser.safebrowsing.phishing.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("browser.topsites.contile.enabled", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("dom.security.https_first", false);
user_pref("dom.security.https_only_mode", false);
user_pref("extensions.getAddons.cache.enabled", false);
user_pref("extensions.systemAddon.update.enabled", false);
user_pref("extensions.update.enabled", false);
user_pref("media.gmp-manager.updateEnabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("network.trr.mode", 5);
user_pref("services.settings.server", "http://localhost:1");
user_pref("toolkit.telemetry.enabled", false);
"""
_RUN = f"""
export HOME=$(mktemp -d) && trap 'rm -rf "$HOME"' EXIT && printf %s "$1" >"$HOME/user.js" && shift
exec 2>/dev/null
timeout -k 1 {PATIENCE_S} "$@"
"""


def browsers() -> tuple[Program, ...]:
    """Those that are installed; Chromium also with the happy eyeballs to come."""
    chromium = _run("", "chromium", *_CHROMIUM)
    hev3 = "--enable-features=HappyEyeballsV3"
    firefox = 'exec firefox-esr --headless --profile "$HOME" --screenshot "$HOME/page.png" "$@"'
    found = []
    if shutil.which("chromium"):
        found.append(_browser("chromium", "chrome", (*chromium, "--dump-dom")))
        found.append(_browser("chromium hev3", "chrome hev3", (*chromium, hev3, "--dump-dom")))
    if shutil.which("firefox-esr"):
        found.append(_browser("firefox esr", "firefox", _run(_FIREFOX, "sh", "-c", firefox, "sh")))
    return tuple(found)


def _browser(label: str, name: str, command: tuple[str, ...]) -> Program:
    return Program(label, name, command, within_ms=WITHIN_MS, early=True)


def _run(preferences: str, *command: str) -> tuple[str, ...]:
    return ("sh", "-c", _RUN, "sh", preferences, *command)
