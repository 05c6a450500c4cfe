// Runs before the page is drawn: rows that open are hidden only where a script can open them.
document.documentElement.classList.add("js");
