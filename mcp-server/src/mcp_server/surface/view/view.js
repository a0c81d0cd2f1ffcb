// Shows what run_sql and explain_sql answer. Speaks the MCP Apps protocol of 2026-01-26 with its host:
// JSON-RPC over postMessage. Values are untrusted: they only ever become text.
"use strict";
(() => {
  const NUMBERS = /^(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|UHUGEINT|DOUBLE|FLOAT|DECIMAL.*|BIGNUM)$/;
  const DIGITS = /^-?[0-9]+(\.[0-9]+)?$/;
  const TIMES = /^(DATE|TIMESTAMP.*)$/;
  const MIDNIGHT = /[T ]00:00:00(\.0+)?(Z|\+00:00)?$/;
  const MOST_BARS = 60, MOST_SERIES = 4;
  const FLAT = 20; // a series that is so many times smaller than the largest could not be seen beside it
  const COLOURS = ["#4c7df0", "#e0803a", "#3fa873", "#b062c9"];
  const CODE = new Set(["key_condition", "index", "name"]);
  const main = document.getElementById("main");
  let shown = null, chart = null, nextId = 1;
  const answers = new Map();

  // ----- protocol -----

  function send(message) {
    window.parent.postMessage({ jsonrpc: "2.0", ...message }, "*");
  }
  function request(method, params) {
    const id = nextId++;
    send({ id, method, params });
    return new Promise((resolve) => answers.set(id, resolve));
  }
  window.addEventListener("message", (event) => {
    if (event.source !== window.parent) return;
    const message = event.data;
    if (!message || message.jsonrpc !== "2.0") return;
    if (message.method === undefined) {
      const take = answers.get(message.id);
      answers.delete(message.id);
      if (take && message.error === undefined) take(message.result ?? {});
    } else if (message.method === "ui/notifications/tool-result") {
      show(message.params ?? {});
    } else if (message.method === "ui/notifications/tool-cancelled") {
      render(element("p", "failure", "The call was cancelled."));
    } else if (message.method === "ui/notifications/host-context-changed") {
      dress(message.params ?? {});
    } else if (message.id !== undefined) {
      const known = message.method === "ui/resource-teardown" || message.method === "ping";
      send(known ? { id: message.id, result: {} } : { id: message.id, error: { code: -32601, message: "Method not found" } });
    }
  });

  function dress(context) {
    if (context.theme) {
      document.documentElement.style.colorScheme = context.theme;
      document.documentElement.dataset.theme = context.theme;
    }
    for (const [name, value] of Object.entries(context.styles?.variables ?? {})) {
      if (name.startsWith("--") && typeof value === "string") document.documentElement.style.setProperty(name, value);
    }
    if (chart && shown) drawChart(shown);
  }

  // ----- building -----

  function element(name, className, text) {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  }
  function render(...parts) {
    chart?.destroy();
    chart = null;
    main.replaceChildren(...parts);
  }
  function counted(count, thing) {
    return `${Number(count).toLocaleString("en")} ${thing}${count === 1 ? "" : "s"}`;
  }

  // ----- results -----

  function show(result) {
    let document_ = result.structuredContent;
    if (!document_) {
      try {
        document_ = JSON.parse(result.content?.find((part) => part.type === "text")?.text ?? "");
      } catch {
        document_ = null;
      }
    }
    if (result.isError || document_?.code) return showFailure(document_ ?? {});
    if (Array.isArray(document_?.rows) && Array.isArray(document_?.columns)) return showRows(document_);
    if (Array.isArray(document_?.scans)) return showPlan(document_);
    return render(element("p", "facts", "There is nothing to show."));
  }

  function showFailure(failure) {
    render(element("p", "failure", failure.message ?? "The call failed."), element("p", "next", failure.next_action ?? ""));
  }

  function showRows(page) {
    shown = page;
    const header = element("header");
    header.append(element("h1", "", counted(page.rows.length, "row")));
    const taken = page.statistics ?? {};
    const facts = [counted(taken.items_read ?? 0, "item") + " read", counted(taken.read_units ?? 0, "read unit")];
    if (page.next_cursor) facts.unshift("more rows follow");
    header.append(element("span", "facts", facts.join(" · ")));
    const panel = element("div");
    const ways = [["Table", () => panel.replaceChildren(table(page))]];
    if (axes(page)) ways.push(["Chart", () => showChart(page, panel)]);
    if (ways.length > 1) header.append(tabs(ways));
    const parts = [header, panel];
    if (page.warnings?.length) parts.push(notes(page.warnings));
    render(...parts);
    ways[0][1]();
  }

  function tabs(ways) {
    const list = element("div", "tabs");
    list.setAttribute("role", "tablist");
    const buttons = ways.map(([name, choose], place) => {
      const button = element("button", "", name);
      button.type = "button";
      button.setAttribute("role", "tab");
      button.setAttribute("aria-selected", String(place === 0));
      button.addEventListener("click", () => {
        chart?.destroy();
        chart = null;
        buttons.forEach((one) => one.setAttribute("aria-selected", String(one === button)));
        choose();
      });
      return button;
    });
    list.append(...buttons);
    return list;
  }

  function notes(texts) {
    const list = element("ul", "notes");
    list.append(...texts.map((text) => element("li", "", text)));
    return list;
  }

  function table(page) {
    const made = element("table"), head = element("tr"), body = element("tbody");
    const order = { column: -1, descending: false };
    const cells = page.columns.map((column, place) => {
      const cell = element("th", NUMBERS.test(column.type) ? "number" : "");
      cell.scope = "col";
      const button = element("button");
      button.type = "button";
      const way = element("span", "way", "");
      button.append(document.createTextNode(column.name), way, element("small", "", column.type));
      button.title = column.type;
      button.addEventListener("click", () => {
        order.descending = order.column === place && !order.descending;
        order.column = place;
        cells.forEach((one, at) => {
          one.setAttribute("aria-sort", at !== place ? "none" : order.descending ? "descending" : "ascending");
          one.querySelector(".way").textContent = at !== place ? "" : order.descending ? "↓" : "↑";
        });
        fill(body, page, order);
      });
      cell.append(button);
      return cell;
    });
    head.append(...cells);
    const top = element("thead");
    top.append(head);
    made.append(top, body);
    fill(body, page, order);
    const scroll = element("div", "scroll");
    scroll.tabIndex = 0;
    scroll.setAttribute("role", "region");
    scroll.setAttribute("aria-label", "Rows");
    scroll.append(made);
    return scroll;
  }

  function fill(body, page, order) {
    const rows = order.column < 0 ? page.rows : [...page.rows].sort(comparing(page.columns[order.column], order));
    body.replaceChildren(...rows.map((row) => {
      const line = element("tr");
      line.append(...row.map((value, place) => cell(value, page.columns[place])));
      return line;
    }));
  }

  function cell(value, column) {
    const number = NUMBERS.test(column.type) ? "number" : "";
    if (value === null || value === undefined) return element("td", `null ${number}`.trim(), "null");
    const nested = typeof value === "object";
    const text = nested ? JSON.stringify(value) : String(value);
    const made = element("td", nested ? "wide" : number, text.slice(0, 500));
    if (text.length > 30) made.title = text.slice(0, 2000);
    return made;
  }

  function comparing(column, order) {
    const number = NUMBERS.test(column.type), sign = order.descending ? -1 : 1, at = order.column;
    return (one, other) => {
      const a = one[at], b = other[at];
      if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1; // nulls last, whichever way
      if (number) return sign * comparedNumbers(a, b);
      const x = typeof a === "object" ? JSON.stringify(a) : String(a), y = typeof b === "object" ? JSON.stringify(b) : String(b);
      return sign * (x < y ? -1 : x > y ? 1 : 0);
    };
  }

  // Numbers, or texts of numbers that a double would round: whole ones and decimals are compared by their digits. NaN is
  // the largest, as in DuckDB.
  function comparedNumbers(a, b) {
    const x = Number(a), y = Number(b);
    if (x !== y) return Number.isNaN(x) ? (Number.isNaN(y) ? 0 : 1) : Number.isNaN(y) ? -1 : x - y;
    if (!DIGITS.test(a) || !DIGITS.test(b)) return 0;
    const places = Math.max(...[a, b].map((one) => (String(one).split(".")[1] ?? "").length));
    const [i, j] = [a, b].map((one) => {
      const [whole, part = ""] = String(one).split(".");
      return BigInt(whole + part.padEnd(places, "0"));
    });
    return i < j ? -1 : i > j ? 1 : 0;
  }

  // ----- charts -----

  function axes(page) {
    const { columns, rows } = page;
    if (rows.length < 2 || rows.length > 1000) return null;
    const told = (at) => rows.filter((row) => row[at] !== null).length > 1; // one value alone makes no picture
    const numbers = columns.map((_, at) => at).filter((at) => NUMBERS.test(columns[at].type) && told(at));
    const label = columns.findIndex((column) => TIMES.test(column.type) || column.type === "VARCHAR");
    const along = label >= 0 ? label : numbers.shift();
    if (along === undefined || !numbers.length) return null;
    const timed = TIMES.test(columns[along].type) || NUMBERS.test(columns[along].type);
    if (!timed && rows.length > MOST_BARS) return null;
    return { along, timed, series: numbers.filter((at) => at !== along).slice(0, MOST_SERIES) };
  }

  function showChart(page, panel) {
    const frame = element("div", "chart"), canvas = element("canvas");
    canvas.setAttribute("role", "img");
    const { along, series } = axes(page);
    const names = series.map((at) => page.columns[at].name).join(", ");
    canvas.setAttribute("aria-label", `${names} by ${page.columns[along].name}`);
    frame.append(canvas);
    panel.replaceChildren(frame);
    drawChart(page, canvas);
  }

  function drawChart(page, canvas = document.querySelector(".chart canvas")) {
    if (!canvas || typeof Chart === "undefined") return;
    chart?.destroy();
    const { along, timed, series } = axes(page);
    const style = getComputedStyle(document.body);
    const ink = style.color, line = getComputedStyle(document.querySelector(".chart")).borderTopColor;
    const rows = timed ? [...page.rows].sort(comparing(page.columns[along], { column: along, descending: false })) : page.rows;
    const axis = { ticks: { color: ink }, grid: { color: line }, border: { color: line } };
    const values = series.map((at) => rows.map((row) => (Number.isFinite(Number(row[at] ?? NaN)) ? Number(row[at]) : null)));
    const heights = values.map((some) => Math.max(0, ...some.map((value) => Math.abs(value ?? 0))));
    const small = heights.map((height) => height * FLAT < Math.max(...heights));
    const scales = { x: { ...axis, title: { display: true, text: page.columns[along].name, color: ink } }, y: { ...axis, beginAtZero: !timed } };
    if (small.includes(true)) scales.right = { ...scales.y, position: "right", grid: { display: false } };
    chart = new Chart(canvas, {
      type: timed ? "line" : "bar",
      data: {
        labels: labels(rows.map((row) => row[along])),
        datasets: series.map((at, place) => ({
          label: page.columns[at].name + (small[place] ? " (right)" : ""),
          yAxisID: small[place] ? "right" : "y",
          data: values[place],
          backgroundColor: COLOURS[place] + (timed ? "33" : "cc"),
          borderColor: COLOURS[place],
          borderWidth: timed ? 2 : 0,
          borderRadius: 3,
          pointRadius: rows.length > 80 ? 0 : 3,
          tension: 0.2,
        })),
      },
      options: {
        animation: false,
        maintainAspectRatio: false,
        interaction: { mode: "index", intersect: false },
        plugins: { legend: { display: series.length > 1, labels: { color: ink } } },
        scales,
      },
    });
  }

  // Of moments that are all midnights only the days.
  function labels(values) {
    const days = values.every((value) => value === null || MIDNIGHT.test(value));
    return values.map((value) => (value === null ? "null" : String(value).replace(days ? MIDNIGHT : "", "").slice(0, 40)));
  }

  // ----- plans -----

  function showPlan(plan) {
    const header = element("header");
    header.append(element("h1", "", "Plan"), element("span", "facts", plan.verdict ?? ""));
    const tree = element("ul", "tree");
    tree.append(...plan.scans.map(scanned));
    if (plan.cost) tree.append(...branch("in_all", plan.cost));
    render(header, tree);
  }

  function scanned(scan) {
    const item = element("li"), more = element("ul");
    const title = element("b", "", `${scan.table ?? ""} `);
    const access = String(scan.access ?? "");
    item.append(title, element("span", `pill${/scan/i.test(access) ? " scan" : ""}`, access));
    const rest = Object.entries(scan).filter(([name]) => name !== "table" && name !== "access");
    more.append(...rest.flatMap(([name, value]) => branch(name, value)));
    item.append(more);
    return item;
  }

  function branch(name, value) {
    if (value === null || value === undefined || (Array.isArray(value) && !value.length)) return [];
    const item = element("li");
    item.append(document.createTextNode(name.replaceAll("_", " ") + ": "));
    if (Array.isArray(value)) {
      const list = element("ul");
      list.append(...value.map((one) => {
        const part = element("li");
        part.append(typeof one === "object" ? subtree(one) : element("code", "", String(one)));
        return part;
      }));
      item.append(list);
    } else if (typeof value === "object") {
      item.append(subtree(value));
    } else {
      const number = typeof value === "number";
      const text = number ? value.toLocaleString("en", { maximumSignificantDigits: 6 }) : String(value);
      item.append(element(number ? "b" : CODE.has(name) ? "code" : "span", "", text));
    }
    return [item];
  }

  function subtree(value) {
    const list = element("ul");
    list.append(...Object.entries(value ?? {}).flatMap(([name, one]) => branch(name, one)));
    return list;
  }

  // ----- start -----

  new ResizeObserver(() => {
    const { width, height } = document.documentElement.getBoundingClientRect();
    send({ method: "ui/notifications/size-changed", params: { width: Math.ceil(width), height: Math.ceil(height) } });
  }).observe(document.documentElement);
  request("ui/initialize", {
    protocolVersion: "2026-01-26",
    appInfo: { name: "dynamosql-view", version: "1" },
    appCapabilities: { availableDisplayModes: ["inline"] },
  }).then((result) => {
    dress(result.hostContext ?? {});
    send({ method: "ui/notifications/initialized", params: {} });
  });
})();
