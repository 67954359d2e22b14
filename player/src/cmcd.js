/** @param {string} value */
const quoted = (value) => `"${value.replace(/\\/g, '\\\\').replace(/"/g, '\\"')}"`;

/**
 * Returns session and content as Common Media Client Data, version 2, keys in order.
 * A test holds it equal to what @svta/cml-cmcd encodes. Source: CTA-5004-B.
 * @param {string} session
 * @param {string} content
 */
export function cmcdOf(session, content) {
  const cid = content ? `cid=${quoted(content)},` : '';
  return `${cid}sid=${quoted(session)},v=2`;
}
