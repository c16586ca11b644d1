#!/usr/bin/env bash
# Drives a headless Neovim (0.7 and newer) with `rollsafe lsp`: diagnostics, a hover and a fix are seen, or it fails.
# usage: scripts/editor-neovim.sh [path of rollsafe]
set -euo pipefail
rollsafe=$(realpath "${1:-target/debug/rollsafe}")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
printf '[project]\nrunner = "psql"\n[lint]\nignore = ["lock_timeout_missing"]\n' > "$folder/rollsafe.toml"
printf 'CREATE TABLE orders (id bigint PRIMARY KEY, total bigint);\n' > "$folder/1_orders.sql"
printf -- '-- 😀\nCREATE INDEX orders_total ON orders (total);\n' > "$folder/2_index.sql"
cat > "$folder/drive.lua" <<'LUA'
local function fail(why) io.stdout:write('FAILED: ' .. why .. '\n'); vim.cmd('cquit') end
local function wait(what, seen)
  if not vim.wait(20000, seen, 20) then fail('no ' .. what) end
end
vim.cmd('edit 2_index.sql')
local buffer = vim.api.nvim_get_current_buf()
local id = vim.lsp.start_client({ name = 'rollsafe', cmd = { vim.env.ROLLSAFE, 'lsp' }, root_dir = vim.fn.getcwd() })
if not id then fail('the server did not start') end
vim.lsp.buf_attach_client(buffer, id)
wait('diagnostic', function() return #vim.diagnostic.get(buffer) > 0 end)
for _, one in ipairs(vim.diagnostic.get(buffer)) do
  io.stdout:write(('diagnostic %d:%d %s: %s\n'):format(one.lnum + 1, one.col + 1, one.code, one.message))
end
vim.api.nvim_win_set_cursor(0, { 2, 36 })
local params = vim.lsp.util.make_position_params(0, vim.lsp.get_client_by_id(id).offset_encoding)
local hover = vim.lsp.buf_request_sync(buffer, 'textDocument/hover', params, 20000)
local text = hover and hover[id] and hover[id].result and hover[id].result.contents.value
if not (text and text:find('| `orders` | SHARE | writes |', 1, true)) then fail('no hover: ' .. vim.inspect(hover)) end
io.stdout:write('hover\n' .. text:gsub('\n\n%-%-%-.*', '') .. '\n')
local range = vim.lsp.util.make_range_params(0, vim.lsp.get_client_by_id(id).offset_encoding)
range.context = { diagnostics = {} }
local actions = vim.lsp.buf_request_sync(buffer, 'textDocument/codeAction', range, 20000)
local found = actions and actions[id] and actions[id].result or {}
for _, action in ipairs(found) do io.stdout:write('action ' .. action.title .. '\n') end
if not found[1] then fail('no code action') end
vim.lsp.util.apply_workspace_edit(found[1].edit, vim.lsp.get_client_by_id(id).offset_encoding)
local line = vim.api.nvim_buf_get_lines(buffer, 1, 2, false)[1]
if line ~= 'CREATE INDEX CONCURRENTLY orders_total ON orders (total);' then fail('the fix made ' .. line) end
io.stdout:write('fixed ' .. line .. '\n')
wait('end of the diagnostics', function() return #vim.diagnostic.get(buffer) == 0 end)
io.stdout:write('all seen with Neovim ' .. tostring(vim.version().major) .. '.' .. vim.version().minor .. '\n')
vim.cmd('qall!')
LUA
cd "$folder"
ROLLSAFE=$rollsafe timeout 60 nvim --headless --clean -n -c 'luafile drive.lua'
