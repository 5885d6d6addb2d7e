/** What the host put into the document: `ShellConfig` in shell-document.ts. */
export const config = JSON.parse(document.getElementById('shell-config').textContent);
