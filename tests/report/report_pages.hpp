// Run folders for tests of reports, and what holds of every page.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "report/report.hpp"

namespace precis {

/// A folder with a file for each pair of name and content.
inline void fill(const std::filesystem::path& folder,
                 const std::vector<std::pair<std::string, std::string>>& files) {
  std::filesystem::create_directories(folder);
  for (const auto& [name, content] : files) {
    std::ofstream(folder / name, std::ios::binary) << content;
  }
}

/// Every tag of the page. Texts have their < escaped, so that what is left of < begins a tag.
inline std::vector<std::string> tags_of(const std::string& html) {
  std::vector<std::string> tags;
  for (auto at = html.find('<'); at != std::string::npos; at = html.find('<', at + 1)) {
    tags.push_back(html.substr(at, html.find('>', at) + 1 - at));
  }
  return tags;
}

inline std::string outside_quotes(const std::string& tag) {
  std::string rest;
  bool inside = false;
  for (const char c : tag) {
    inside = c == '"' ? !inside : inside;
    rest += inside ? "" : std::string(1, c);
  }
  return rest;
}

/// No tag that could run or load something, and what is opened is closed.
inline void expect_harmless(const std::string& html) {
  const auto tags = tags_of(html);
  const auto number_of = [&](const std::string& begin) {
    return std::ranges::count_if(tags, [&](const std::string& tag) {
      return tag.starts_with(begin) &&
             (tag.size() == begin.size() || tag[begin.size()] == ' ' || tag[begin.size()] == '>');
    });
  };
  for (const char* tag :
       {"script", "img", "iframe", "object", "embed", "link", "base", "form", "input"}) {
    EXPECT_EQ(number_of(fmt::format("<{}", tag)), 0) << tag;
  }
  for (const char* tag :
       {"section", "div", "figure", "table", "details", "svg", "style", "p", "title"}) {
    EXPECT_EQ(number_of(fmt::format("<{}", tag)), number_of(fmt::format("</{}", tag))) << tag;
  }
  for (const std::string& tag : tags) {
    EXPECT_EQ(outside_quotes(tag).find(" onerror"), std::string::npos) << tag;
    EXPECT_EQ(outside_quotes(tag).find(" src"), std::string::npos) << tag;
    EXPECT_EQ(tag.find("url("), std::string::npos) << tag;
    EXPECT_TRUE(!tag.starts_with("<a ") || tag.starts_with("<a href=\"#s")) << tag;
  }
}

/// The report of one folder, which cannot run or load anything.
inline Report report_of(const std::filesystem::path& folder) {
  Report report = make_report({.folders = {folder.string()}, .posts = {}, .title = ""});
  expect_harmless(report.html);
  return report;
}

}  // namespace precis
