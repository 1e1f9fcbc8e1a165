"use strict";
// Asks a model with the operator's own key. Key, prompt and answer live in this page and nowhere else.
(() => {
  const form = document.getElementById("trial");
  const [send, stop] = [form.querySelector("[type=submit]"), document.getElementById("stop")];
  const [said, answer] = [document.getElementById("trial-said"), document.getElementById("answer")];
  let running = null;
  send.disabled = false;

  stop.addEventListener("click", () => running?.abort());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (running) return;
    running = new AbortController();
    [send.disabled, stop.disabled] = [true, false];
    answer.textContent = "";
    said.textContent = "Waiting for the first token…";
    try {
      await ask(new FormData(form), running.signal);
    } catch (error) {
      said.textContent = error.name === "AbortError" ? "Stopped." : "The console does not answer.";
    } finally {
      running = null;
      [send.disabled, stop.disabled] = [false, true];
    }
  });

  async function ask(fields, signal) {
    const started = performance.now();
    const response = await fetch("/try", {
      method: "POST",
      signal,
      cache: "no-store",
      headers: { "Content-Type": "application/json", Authorization: `Bearer ${fields.get("key").trim()}` },
      body: JSON.stringify({
        model: fields.get("model"),
        prompt: fields.get("prompt"),
        max_output_tokens: Number(fields.get("max_output_tokens")),
      }),
    });
    if (!response.ok) {
      said.textContent = refusal(response.status, await response.text());
      return;
    }
    const state = { started, first: 0, last: 0, usage: null, isWhole: false, problem: "" };
    await read(response.body, state);
    said.textContent = ending(state);
  }

  async function read(body, state) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      const lines = (rest + part.value).split("\n");
      rest = lines.pop();
      for (const line of lines) if (line.startsWith("data: ")) take(line.slice(6), state);
    }
  }

  function take(data, state) {
    if (data === "[DONE]") {
      state.isWhole = true;
      return;
    }
    const chunk = JSON.parse(data);
    if (chunk.error) state.problem = chunk.error.message;
    state.usage = chunk.usage ?? state.usage;
    const delta = chunk.choices?.[0]?.delta ?? {};
    const text = delta.content ?? delta.reasoning_content ?? delta.reasoning ?? "";
    if (!text) return;
    state.last = performance.now();
    if (!state.first) {
      state.first = state.last;
      said.textContent = "Answering…";
    }
    answer.append(text);
  }

  function ending(state) {
    if (state.problem) return `The answer broke off: ${state.problem}`;
    if (!state.isWhole) return "The answer broke off.";
    if (!state.first) return "The answer is empty.";
    const seconds = (state.last - state.first) / 1000;
    const tokens = state.usage?.completion_tokens ?? 0;
    const parts = [`TTFT ${Math.round(state.first - state.started)} ms`];
    if (tokens > 1 && seconds > 0) parts.push(`${Math.round((tokens - 1) / seconds)} tokens/s`);
    if (state.usage) parts.push(`${state.usage.prompt_tokens} input and ${tokens} output tokens`);
    return `Answered. ${parts.join(", ")}.`;
  }

  function refusal(status, text) {
    try {
      return `Refused with ${status}: ${JSON.parse(text).error.message}`;
    } catch {
      return text || `Refused with ${status}.`;
    }
  }
})();
