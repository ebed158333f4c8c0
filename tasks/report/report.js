"use strict";
const rows = Array.from(document.querySelectorAll("table.values tbody tr"));
const tally = document.getElementById("tally");
const chosen = (row) => row.querySelector("input:checked");
function count() {
  const decided = rows.filter(chosen).length;
  tally.textContent = decided + " decided";
  for (const row of rows) row.className = chosen(row) ? chosen(row).value : "";
}
document.addEventListener("change", count);
document.getElementById("find").addEventListener("input", (event) => {
  const wanted = event.target.value.toLowerCase();
  for (const row of rows) row.hidden = !row.dataset.value.toLowerCase().includes(wanted);
});
document.getElementById("accept-shown").addEventListener("click", () => {
  for (const row of rows) {
    if (!row.hidden && row.closest("details").open && !chosen(row)) row.querySelector('input[value="accept"]').checked = true;
  }
  count();
});
document.getElementById("save").addEventListener("click", () => {
  const decisions = rows.filter(chosen).map((row) => ({ column: row.dataset.column, value: row.dataset.value, choice: chosen(row).value }));
  const body = JSON.stringify({ candidate_root: document.body.dataset.root, decisions: decisions }, null, 1);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([body], { type: "application/json" }));
  link.download = "decisions-" + document.body.dataset.candidate + ".json";
  link.click();
});
count();
