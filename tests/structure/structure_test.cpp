// The shape of the source tree: includes go only downwards through the layers, nothing includes
// tests, types have names of their own, files stay short, nothing is left open.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
namespace fs = std::filesystem;

constexpr std::size_t most_lines = 500;

struct Layer {
  std::string_view name;
  int height;  // a layer may include itself and lower ones; equals do not include each other
};
constexpr std::array<Layer, 18> layers = {{{"base", 0},
                                           {"kernels", 1},
                                           {"page", 1},
                                           {"device", 2},
                                           {"parallel", 3},
                                           {"io", 4},
                                           {"data", 5},
                                           {"model", 6},
                                           {"synthetic", 6},
                                           {"train", 7},
                                           {"feedback", 7},
                                           {"rlhf", 8},
                                           {"eval", 8},
                                           {"bench", 8},
                                           {"report", 9},
                                           {"commands", 10},
                                           {"main", 11},
                                           {"tests", 12}}};

struct Source {
  std::string path;  // from the top of the repository
  std::vector<std::string> lines;
};

const Layer* find_layer(std::string_view name) {
  const auto* found = std::ranges::find(layers, name, &Layer::name);
  return found == layers.end() ? nullptr : found;
}

// "kernels" of kernels/..., "io" of src/io/..., "main" of src/main.cpp.
const Layer* layer_of(const fs::path& path) {
  auto part = path.begin();
  if (*part == "src") {
    ++part;
  }
  return find_layer(*part == "main.cpp" ? "main" : part->string());
}

std::vector<std::string> include_faults(const Source& source) {
  static const std::regex quoted(R"re(^\s*#\s*include\s*"([^"/]*)(/?)[^"]*")re");
  static const std::regex test_library(R"re(^\s*#\s*include\s*<(gtest|gmock)/)re");
  std::vector<std::string> faults;
  const Layer* own = layer_of(source.path);
  if (own == nullptr) {
    return {fmt::format("{}: the folder is not a layer", source.path)};
  }
  if (own->name == "tests") {
    return {};
  }
  for (std::size_t i = 0; i < source.lines.size(); ++i) {
    const std::string& line = source.lines[i];
    std::smatch match;
    if (std::regex_search(line, test_library)) {
      faults.push_back(fmt::format("{}:{}: includes a test library", source.path, i + 1));
    }
    if (!std::regex_search(line, match, quoted)) {
      continue;
    }
    const Layer* included = match[2].length() > 0 ? find_layer(match[1].str()) : nullptr;
    if (included == nullptr) {
      faults.push_back(fmt::format("{}:{}: includes \"{}\" without its layer", source.path, i + 1,
                                   match[1].str()));
    } else if (included != own && included->height >= own->height) {
      faults.push_back(fmt::format("{}:{}: {} includes {}, which is not below it", source.path,
                                   i + 1, own->name, included->name));
    }
  }
  return faults;
}

std::vector<std::string> other_faults(const Source& source) {
  // Put together from parts, so that this file passes.
  static const std::regex open_work(
      "\\b(TO"
      "DO|FIX"
      "ME|XX"
      "X|HA"
      "CK)\\b");
  std::vector<std::string> faults;
  if (source.lines.size() > most_lines) {
    faults.push_back(fmt::format("{}: {} lines; split it, the most is {}", source.path,
                                 source.lines.size(), most_lines));
  }
  for (std::size_t i = 0; i < source.lines.size(); ++i) {
    if (std::regex_search(source.lines[i], open_work)) {
      faults.push_back(fmt::format("{}:{}: work left open", source.path, i + 1));
    }
  }
  const bool is_header = source.path.ends_with(".hpp");
  if (is_header && (source.lines.empty() || !source.lines[0].starts_with("// "))) {
    faults.push_back(fmt::format("{}: does not open with its purpose", source.path));
  }
  return faults;
}

// Two types of one name in one namespace compile, but a program that has both is undefined: the
// linker keeps one of their destructors, of their vectors' functions, and so on.
std::vector<std::string> name_faults(const std::vector<Source>& sources) {
  static const std::regex begins_namespace(R"re(^namespace ([\w:]+) \{)re");
  static const std::regex defines_type(R"re(^(?:struct|class) (\w+) [^;(]*\{)re");
  std::map<std::string, std::string> defined_in;
  std::vector<std::string> faults;
  for (const Source& source : sources) {
    if (!source.path.ends_with(".hpp") || source.path.starts_with("tests/")) {
      continue;
    }
    std::string scope;
    for (const std::string& line : source.lines) {
      std::smatch match;
      if (std::regex_search(line, match, begins_namespace)) {
        scope = match[1].str();
      } else if (std::regex_search(line, match, defines_type)) {
        const std::string name = scope + "::" + match[1].str();
        const auto [first, is_new] = defined_in.emplace(name, source.path);
        if (!is_new) {
          faults.push_back(
              fmt::format("{}: {} is defined in {} too", source.path, name, first->second));
        }
      }
    }
  }
  return faults;
}

Source read_source(const fs::path& root, const fs::path& file) {
  Source source{.path = fs::relative(file, root).generic_string(), .lines = {}};
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    source.lines.push_back(line);
  }
  return source;
}

std::vector<Source> all_sources() {
  const fs::path root = PRECIS_SOURCE_DIR;
  std::vector<Source> sources;
  for (const char* folder : {"src", "kernels", "tests"}) {
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      const std::string kind = entry.path().extension().string();
      if (kind == ".cpp" || kind == ".hpp" || kind == ".inc" || kind == ".cu" || kind == ".cuh") {
        sources.push_back(read_source(root, entry.path()));
      }
    }
  }
  return sources;
}

TEST(Structure, IncludesGoDownwards) {
  const auto sources = all_sources();
  ASSERT_GT(sources.size(), 100U) << "the source tree was not found at " PRECIS_SOURCE_DIR;
  for (const Source& source : sources) {
    for (const std::string& fault : include_faults(source)) {
      ADD_FAILURE() << fault;
    }
  }
}

TEST(Structure, FilesAreShortAndFinished) {
  for (const Source& source : all_sources()) {
    for (const std::string& fault : other_faults(source)) {
      ADD_FAILURE() << fault;
    }
  }
}

TEST(Structure, TypesHaveNamesOfTheirOwn) {
  for (const std::string& fault : name_faults(all_sources())) {
    ADD_FAILURE() << fault;
  }
}

TEST(Structure, FindsATypeThatIsDefinedTwice) {
  const Source a{.path = "src/io/a.hpp", .lines = {"namespace precis {", "struct Row {"}};
  Source b{.path = "src/io/b.hpp", .lines = {"namespace precis {", "class Row final : Base {"}};
  EXPECT_THAT(name_faults({a, b}),
              ElementsAre(HasSubstr("b.hpp: precis::Row is defined in src/io/a.hpp")));
  b.lines[0] = "namespace precis::cpu {";
  EXPECT_THAT(name_faults({a, b}), IsEmpty());
  b.lines = {"namespace precis {", "struct Row;", "struct Row make_row() {"};
  EXPECT_THAT(name_faults({a, b}), IsEmpty());
}

TEST(Structure, FindsAnIncludeThatGoesUpwards) {
  EXPECT_THAT(
      include_faults({"src/io/a.cpp", {"#include \"base/error.hpp\"", "#include <hdf5.h>"}}),
      IsEmpty());
  EXPECT_THAT(include_faults({"src/io/a.cpp", {"// text", "#include \"model/config.hpp\""}}),
              ElementsAre(HasSubstr("src/io/a.cpp:2: io includes model")));
  EXPECT_THAT(include_faults({"src/rlhf/a.hpp", {"#include \"eval/win.hpp\""}}),
              ElementsAre(HasSubstr("rlhf includes eval")));
  EXPECT_THAT(include_faults({"kernels/cpu/a.cpp", {"#include \"device/device.hpp\""}}),
              ElementsAre(HasSubstr("kernels includes device")));
  EXPECT_THAT(include_faults({"src/main.cpp", {"#include \"commands/command.hpp\""}}), IsEmpty());
  EXPECT_THAT(include_faults({"src/main.cpp", {"#include \"tests/kernels/harness.hpp\""}}),
              ElementsAre(HasSubstr("main includes tests")));
  EXPECT_THAT(include_faults({"src/io/a.cpp", {"#include \"jsonl.hpp\""}}),
              ElementsAre(HasSubstr("without its layer")));
  EXPECT_THAT(include_faults({"src/io/a.cpp", {"#include <gtest/gtest.h>"}}),
              ElementsAre(HasSubstr("test library")));
  EXPECT_THAT(include_faults({"src/other/a.cpp", {}}), ElementsAre(HasSubstr("not a layer")));
}

TEST(Structure, FindsLongAndUnfinishedFiles) {
  EXPECT_THAT(other_faults({"src/io/a.hpp", {"// Reads.", "#pragma once"}}), IsEmpty());
  EXPECT_THAT(other_faults({"src/io/a.hpp", {"#pragma once"}}),
              ElementsAre(HasSubstr("its purpose")));
  EXPECT_THAT(other_faults({"src/io/a.cpp",
                            {"int a;  // TO"
                             "DO: more"}}),
              ElementsAre(HasSubstr("src/io/a.cpp:1: work left open")));
  EXPECT_THAT(other_faults({"src/io/a.cpp", std::vector<std::string>(501)}),
              ElementsAre(HasSubstr("501 lines")));
}

}  // namespace
