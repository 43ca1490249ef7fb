// A worker: the page's proof of work (ALTCHA v2, PBKDF2) beside the page's own thread, so that typing never waits.
const bytes = (hex) => Uint8Array.from(hex.match(/../g), (pair) => parseInt(pair, 16));
const hex = (buffer) => Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");

onmessage = async ({ data: challenge }) => {
  const { nonce, salt, cost, keyLength, keyPrefix } = challenge.parameters;
  const derivation = { name: "PBKDF2", hash: "SHA-256", salt: bytes(salt), iterations: cost };
  const password = bytes(nonce + "00000000");
  const last = new DataView(password.buffer, password.length - 4);
  const begun = performance.now();
  for (let counter = 0; ; counter++) {
    last.setUint32(0, counter);
    const key = await crypto.subtle.importKey("raw", password, "PBKDF2", false, ["deriveBits"]);
    const derivedKey = hex(await crypto.subtle.deriveBits(derivation, key, keyLength * 8));
    if (!derivedKey.startsWith(keyPrefix)) continue;
    const time = Math.round(performance.now() - begun);
    postMessage({ challenge, solution: { counter, derivedKey, time } });
    return close();
  }
};
