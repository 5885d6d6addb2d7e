/**
 * Puts text on the clipboard. Pages served over plain http have no `navigator.clipboard`; there, the
 * browser is asked to copy the contents of `shown` and given the text instead.
 *
 * @returns whether the text is there
 */
export async function copyText(text: string, shown: Element): Promise<boolean> {
  try {
    if (window.isSecureContext) {
      await navigator.clipboard.writeText(text);
      return true;
    }
  } catch {
    // Not allowed, by a policy of the host or by the person: the older way may be.
  }
  return copyBySelection(text, shown);
}

function copyBySelection(text: string, shown: Element): boolean {
  const selection = getSelection();
  const before = selection?.rangeCount ? selection.getRangeAt(0) : null;
  let copied = false;
  const give = (event: ClipboardEvent) => {
    event.clipboardData?.setData('text/plain', text);
    event.preventDefault();
    copied = true;
  };
  document.addEventListener('copy', give, { capture: true, once: true });
  try {
    // Safari copies only when something is selected.
    selection?.selectAllChildren(shown);
    // Deprecated, and the only way where the context is not secure.
    return document.execCommand('copy') && copied;
  } finally {
    document.removeEventListener('copy', give, { capture: true });
    selection?.removeAllRanges();
    if (before) selection?.addRange(before);
  }
}
