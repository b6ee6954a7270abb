// Follows Airflow's light or dark theme: inside its frame the class of its document, else the system's.
(() => {
  let outer = null;
  try {
    if (window.parent !== window) outer = window.parent.document.documentElement;
  } catch {
    return; // framed by another server's page
  }
  if (!outer) return;
  const follow = () => {
    const dark = outer.classList.contains("dark");
    document.documentElement.classList.toggle("dark", dark);
    document.documentElement.classList.toggle("light", !dark);
  };
  follow();
  new MutationObserver(follow).observe(outer, { attributes: true, attributeFilter: ["class"] });
})();
