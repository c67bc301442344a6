// Starts `onnxtext language-server` and hands VS Code what it says.  Colours need no server: they are in syntaxes/.
"use strict";

const vscode = require("vscode");

let client;

async function activate() {
  let node;
  try {
    node = require("vscode-languageclient/node");
  } catch {
    return; // `npm install` was not run in this folder: colours only
  }
  const [command, ...args] = vscode.workspace.getConfiguration("onnxtext").get("command");
  client = new node.LanguageClient("onnxt", "onnxtext", { command, args }, { documentSelector: [{ language: "onnxt" }] });
  await client.start();
}

async function deactivate() {
  await client?.stop();
}

module.exports = { activate, deactivate };
