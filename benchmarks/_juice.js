// nunjucks and juice, mail by mail. Prints seconds of CPU a mail, a number a round.
"use strict";
const fs = require("fs");
const nunjucks = require("nunjucks");
const required = require("juice"); // an ES module from version 12 on
const juice = required.default || required;

const given = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
const rounds = Number(process.argv[3]);

// what Python's texts can do and JavaScript's cannot
String.prototype.splitlines = function () { return this.split("\n").filter((line) => line.trim()); };
String.prototype.strip = function () { return this.trim(); };

const environment = new nunjucks.Environment(new nunjucks.FileSystemLoader(given.folder), { autoescape: true });
const filled = (message, values) => message.replace(/%\((\w+)\)s/g, (_, name) => values[name]);
environment.addGlobal("_", (message, values) => filled(message, values || {}));
environment.addGlobal("ngettext", (one, more, number, values) => filled(number === 1 ? one : more, { num: number, ...values }));
environment.addFilter("min", (list) => Math.min(...list));
const template = environment.getTemplate(given.name, true);

const found = [];
for (let round = 0; round <= rounds; round += 1) { // the first one warms up
  const started = process.cpuUsage();
  for (const context of given.mails) juice(template.render(context));
  const used = process.cpuUsage(started);
  found.push((used.user + used.system) / 1e6 / given.mails.length);
}
console.log(JSON.stringify(found.slice(1)));
