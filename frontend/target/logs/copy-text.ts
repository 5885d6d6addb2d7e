/**
 * Copies text to the clipboard. Pages served over plain HTTP have no `navigator.clipboard`; there, `shown` is selected
 * and copied, and a listener replaces what is copied by `text`.
 *
 * @returns whether the text has been copied
 */
export async function copyText(text: string, shown: Element): Promise<boolean> {
  try {
    if (window.isSecureContext) {
      await navigator.clipboard.writeText(text);
      return true;
    }
  } catch {
    // Blocked by a policy or by the user; `execCommand` may still be allowed.
  }
  return copyBySelection(text, shown);
}

function copyBySelection(text: string, shown: Element): boolean {
  const selection = getSelection();
  const before = selection?.rangeCount ? selection.getRangeAt(0) : null;
  let copied = false;
  const setText = (event: ClipboardEvent) => {
    event.clipboardData?.setData('text/plain', text);
    event.preventDefault();
    copied = true;
  };
  document.addEventListener('copy', setText, { capture: true, once: true });
  try {
    // Safari copies only when something is selected.
    selection?.selectAllChildren(shown);
    // Deprecated, but the only way in an insecure context.
    return document.execCommand('copy') && copied;
  } finally {
    document.removeEventListener('copy', setText, { capture: true });
    selection?.removeAllRanges();
    if (before) selection?.addRange(before);
  }
}
