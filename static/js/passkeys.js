// Passkeys: starts allauth's own script for the form of this page, and says in words what goes wrong.
(() => {
  "use strict";

  const button = document.querySelector("[data-passkey]");
  const problem = document.querySelector("[data-passkey-problem]");
  if (!button) return;

  const tell = (words) => {
    problem.textContent = words;
    problem.hidden = false;
  };

  document.addEventListener("allauth.error", (event) => {
    event.preventDefault();
    const name = event.detail.exception?.name;
    if (name === "InvalidStateError") tell("This device is one of your passkeys already.");
    else if (name === "SecurityError") tell("This browser takes passkeys at the site’s own name over HTTPS only.");
    else tell("Your device did not answer, or you left. Try again.");
  });

  if (!window.PublicKeyCredential) {
    button.disabled = true;
    tell("This browser knows no passkeys, or the page is not served over HTTPS.");
    return;
  }
  button.addEventListener("click", () => (problem.hidden = true));
  window.allauth.webauthn.forms[button.dataset.passkey]({
    ids: { add: button.id, authenticate: button.id, credential: "id_credential", data: "js_data" },
  });
})();
