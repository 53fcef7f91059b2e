"use strict";
// What is chosen, as a condition over the frame `f` and its world `w` that `select --where` takes.
function quotedText(text) { // conditions may not hold a semicolon
  const parts = text.split(";").map((part) => `'${part.replaceAll("'", "''")}'`);
  return parts.length === 1 ? parts[0] : `(${parts.join(" || chr(59) || ")})`;
}

function double(value) { const text = String(value); return text.includes("e") ? text : `${text}e0`; } // with an exponent it is no decimal

function holds(sql) { return `COALESCE(${sql}, false)`; }

function inWords(value, filter) {
  const parts = [];
  if (filter.values) {
    const words = filter.values.filter((word) => word !== NO_WORD).map(quotedText);
    const some = [];
    if (words.length) some.push(holds(`${value} IN (${words.join(", ")})`));
    if (filter.values.includes(NO_WORD)) some.push(`${value} IS NULL`);
    parts.push(some.length === 1 ? some[0] : `(${some.join(" OR ") || "false"})`);
  }
  if (filter.text) parts.push(holds(`contains(lower(${value}), ${quotedText(filter.text.toLowerCase())})`));
  return parts.join(" AND ");
}

function conditionOf(column, filter) {
  let sql;
  if (column.kind === "number") {
    const some = [];
    if (filter.range) some.push(holds(`${column.sql} BETWEEN ${double(filter.range[0])} AND ${double(filter.range[1])}`));
    if (filter.missing) some.push(`(${column.sql} IS NULL OR isnan(CAST(${column.sql} AS DOUBLE)))`);
    sql = some.length === 1 ? some[0] : `(${some.join(" OR ")})`;
  } else if (column.kind === "set") {
    sql = `EXISTS (SELECT 1 FROM ${column.of} i WHERE i.frame_id = f.frame_id AND ${inWords(`i.${column.sql}`, filter)})`;
  } else sql = inWords(column.sql, filter);
  return filter.not ? `NOT (${sql})` : sql;
}

// A column that no table has, as the distance to the nearest frame, can only be said by the frames themselves.
async function byFrames(column, filter) {
  const match = matchOf(column, filter), ids = (await main.column("frame_id")).values;
  return `f.frame_id IN (${[...ids].filter((id, n) => match[n]).join(", ") || "NULL"})`;
}

async function condition() {
  const parts = [];
  for (const [name, filter] of filters) {
    const column = await main.column(name);
    parts.push(column.sql ? conditionOf(column, filter) : await byFrames(column, filter));
  }
  if (chosen.needle) {
    const any = [];
    for (const name of searched(main)) any.push(conditionOf(await main.column(name), { text: chosen.needle }));
    parts.push(any.length ? `(${any.join(" OR ")})` : "false");
  }
  return parts.join(" AND ") || "true";
}
