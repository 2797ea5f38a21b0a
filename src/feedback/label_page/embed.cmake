# Writes label_page_source.hpp: the page's HTML, style and script as text, with the digests that its
# content security policy names. Run when one of them has changed.
set(content "// Made from src/feedback/label_page by embed.cmake.\n#pragma once\n\n#include <string_view>\n\n")
string(APPEND content "namespace precis::label_page_source {\n\n")

# embed(NAME FILES...): the files one after another.
macro(embed name)
  set(text "")
  foreach(file ${ARGN})
    file(READ ${SOURCE}/${file} part)
    string(APPEND text "${part}")
  endforeach()
  string(SHA256 digest "${text}")
  string(APPEND content "inline constexpr std::string_view ${name} = R\"precis(${text})precis\";\n")
  string(APPEND content "inline constexpr std::string_view ${name}_sha256 = \"${digest}\";\n\n")
endmacro()

embed(page page.html)
embed(style style.css)
embed(script answers.js view.js main.js)
string(APPEND content "}  // namespace precis::label_page_source\n")
file(WRITE ${OUTPUT} "${content}")
