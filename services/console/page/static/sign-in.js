"use strict";
// The token comes behind #, which browsers send to nobody, and leaves the address bar at once.
(async () => {
  const said = document.getElementById("said");
  const token = decodeURIComponent(location.hash.slice(1));
  if (!token) return;
  history.replaceState(null, "", location.pathname);
  said.textContent = "Signing in…";
  try {
    const answer = await fetch("/sign-in", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token }),
    });
    if (answer.ok) location.replace("/");
    else said.textContent = await answer.text();
  } catch {
    said.textContent = "The console does not answer.";
  }
})();
