#include "report/files.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <set>
#include <system_error>

#include "base/error.hpp"
#include "base/text.hpp"
#include "io/jsonl.hpp"

namespace precis {
namespace {

namespace fs = std::filesystem;

constexpr int deepest = 3;
constexpr std::size_t most_runs = 64;
constexpr std::size_t most_tables = 64;
constexpr std::size_t longest_row = std::size_t{8} << 20;
constexpr std::size_t largest_json = std::size_t{16} << 20;
constexpr std::array<std::pair<std::string_view, TableKind>, 4> table_names = {
    {{"table", TableKind::policies},
     {"best", TableKind::best_of_n},
     {"agreement", TableKind::agreement},
     {"audit", TableKind::audit}}};

bool is_file(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

bool is_run(const fs::path& folder) {
  std::error_code error;
  return fs::exists(folder / "metrics.jsonl", error) || fs::exists(folder / "deck.cfg", error) ||
         fs::exists(folder / "log.txt", error);
}

/// The stages of a loop come in their order, all else by name.
int place_of(const fs::path& folder) {
  const std::string name = folder.filename().string();
  return name == "sft" ? 0 : name == "reward" ? 1 : name == "ppo" ? 2 : 3;
}

/// The entries of a folder in the order in which they are shown; none where it cannot be read.
std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    entries.push_back(it->path());
  }
  std::ranges::sort(entries, [](const fs::path& a, const fs::path& b) {
    return std::pair(place_of(a), a) < std::pair(place_of(b), b);
  });
  return entries;
}

void look_through(const fs::path& folder, int depth, ReportFiles& files) {
  const bool run = is_run(folder);
  if (run) {
    files.cut = files.cut || files.runs.size() == most_runs;
    if (files.runs.size() < most_runs) {
      files.runs.push_back(folder);
    }
  }
  const std::vector<fs::path> entries = entries_of(folder);
  for (const TableKind kind : {TableKind::policies, TableKind::best_of_n, TableKind::agreement,
                               TableKind::audit, TableKind::overoptimization}) {
    for (const fs::path& entry : entries) {
      if (table_kind(entry.filename().string()) == kind && is_file(entry) &&
          files.tables.size() < most_tables) {
        files.tables.push_back(entry);
      }
    }
  }
  for (const fs::path& entry : entries) {
    std::error_code error;
    const std::string name = entry.filename().string();
    if (name.starts_with("posts_") && name.ends_with(".jsonl") && is_file(entry)) {
      files.posts.push_back(entry);
    } else if (!run && depth < deepest && fs::is_directory(entry, error) &&
               !fs::is_symlink(entry, error)) {
      look_through(entry, depth + 1, files);
    }
  }
}

/// A folder may have been given inside another one.
void keep_first_of_each(std::vector<fs::path>& paths) {
  std::set<fs::path> seen;
  std::erase_if(paths, [&](const fs::path& path) {
    std::error_code error;
    const fs::path whole = fs::weakly_canonical(path, error);
    return !seen.insert(error ? path.lexically_normal() : whole).second;
  });
}

std::vector<std::string> parts_of(const fs::path& path) {
  std::error_code error;
  fs::path whole = fs::weakly_canonical(path, error);
  whole = error ? path.lexically_normal() : whole;
  std::vector<std::string> parts;
  for (const fs::path& part : whole) {
    parts.push_back(part.string());
  }
  return parts;
}

}  // namespace

ReportFiles find_report_files(const std::vector<std::string>& folders) {
  ReportFiles files;
  for (const std::string& folder : folders) {
    std::error_code error;
    require(fs::exists(folder, error),
            "{}: there is no such folder. Give a run folder, or one that holds run folders{}.",
            folder, folders.size() > 1 ? "; in a list, a comma within a name is written \\," : "");
    require(fs::is_directory(folder, error),
            "{} is not a folder. Give a run folder, or one that holds run folders.", folder);
    const std::size_t before = files.runs.size() + files.tables.size();
    look_through(folder, 0, files);
    require(files.cut || files.runs.size() + files.tables.size() > before,
            "{} holds nothing to report: no run (a folder with metrics.jsonl, deck.cfg or log.txt) "
            "and none of table.json, best.json, agreement.json, audit.json, overoptimize.jsonl, "
            "down to {} levels.",
            folder, deepest);
  }
  keep_first_of_each(files.runs);
  keep_first_of_each(files.tables);
  keep_first_of_each(files.posts);
  return files;
}

std::optional<TableKind> table_kind(std::string_view file_name) {
  if (file_name == "overoptimize.jsonl") {
    return TableKind::overoptimization;
  }
  for (const auto& [name, kind] : table_names) {
    if (file_name.starts_with(name) && file_name.ends_with(".json")) {
      const auto rest = file_name.substr(name.size(), file_name.size() - name.size() - 5);
      if (rest.empty() || rest.starts_with('_')) {
        return kind;
      }
    }
  }
  return std::nullopt;
}

std::vector<std::string> short_names(const std::vector<fs::path>& paths) {
  std::vector<std::vector<std::string>> all;
  for (const fs::path& path : paths) {
    all.push_back(parts_of(path));
  }
  const auto in_common = [&](bool back) {
    std::size_t shared = 0;
    for (;; ++shared) {
      for (const auto& parts : all) {
        const auto at = [&](const std::vector<std::string>& p) {
          return back ? p[p.size() - 1 - shared] : p[shared];
        };
        if (shared >= parts.size() || shared >= all.front().size() ||
            at(parts) != at(all.front())) {
          return shared;
        }
      }
      if (all.size() < 2) {
        return shared;
      }
    }
  };
  std::vector<std::string> names;
  const std::size_t front = all.size() > 1 ? in_common(false) : 0;
  const std::size_t back = all.size() > 1 ? in_common(true) : 0;
  for (const auto& parts : all) {
    std::string name;
    for (std::size_t i = front; all.size() > 1 && i + back < parts.size(); ++i) {
      name += (name.empty() ? "" : "/") + parts[i];
    }
    names.push_back(name.empty() && !parts.empty() ? parts.back() : name);
  }
  return names;
}

void for_each_line(const fs::path& file, std::size_t most_bytes,
                   const std::function<bool(std::string_view line, bool whole)>& visit) {
  std::error_code error;
  require(fs::exists(file, error), "the file does not exist");
  // A pipe or a device could keep the program waiting, or never end.
  require(is_file(file), "this is not a regular file");
  std::ifstream stream(file, std::ios::binary);
  require(stream.good(), "the file cannot be opened");
  std::string line;
  bool whole = true;
  std::vector<char> part(std::size_t{1} << 16);
  for (;;) {
    stream.read(part.data(), static_cast<std::streamsize>(part.size()));
    const auto count = static_cast<std::size_t>(stream.gcount());
    require(!stream.bad(), "the file cannot be read to its end");
    if (count == 0) {
      break;
    }
    std::string_view rest(part.data(), count);
    while (!rest.empty()) {
      const auto end = rest.find('\n');
      const std::string_view piece = rest.substr(0, end);
      whole = whole && line.size() + piece.size() <= most_bytes;
      line += piece.substr(0, std::min(piece.size(), most_bytes - line.size()));
      if (end == std::string_view::npos) {
        break;
      }
      if (!visit(line, whole)) {
        return;
      }
      line.clear();
      whole = true;
      rest.remove_prefix(end + 1);
    }
  }
  if (!line.empty()) {
    visit(line, false);
  }
}

void SkippedRows::add(const std::string& what) {
  if (bad++ == 0) {
    first = what;
  }
}

std::string SkippedRows::describe(std::string_view file) const {
  std::string text;
  if (bad > 0) {
    text = fmt::format("{}: {} cannot be used and {} left out. The first: {}", file,
                       counted(bad, "line"), bad == 1 ? "is" : "are", first);
  }
  if (torn) {
    text +=
        fmt::format("{}{}: the last line is incomplete: the run is still writing, or was killed.",
                    text.empty() ? "" : " ", file);
  }
  return text;
}

SkippedRows read_loose_rows(
    const fs::path& file,
    const std::function<bool(const nlohmann::json& row, const std::string& where)>& visit) {
  SkippedRows skipped;
  std::int64_t number = 0;
  for_each_line(file, longest_row, [&](std::string_view line, bool whole) {
    ++number;
    const std::string where = fmt::format("line {}", number);
    if (!whole && line.size() >= longest_row) {
      skipped.add(fmt::format("{} is longer than {}.", where, byte_size(longest_row)));
      return true;
    }
    if (trimmed(line).empty() || line == "\r") {
      return true;
    }
    try {
      const auto row = parse_json(line, where);
      if (!row.is_object()) {
        throw BadRow(
            fmt::format("{}: a JSON object was expected, found {}.", where, row.type_name()));
      }
      return visit(row, where);
    } catch (const BadRow& bad) {
      if (whole) {
        skipped.add(bad.what());
      } else {
        skipped.torn = true;
      }
      return true;
    }
  });
  return skipped;
}

std::string read_start(const fs::path& file, std::size_t most_bytes) {
  std::string text;
  for_each_line(file, most_bytes, [&](std::string_view line, bool) {
    text += line.substr(0, most_bytes - std::min(most_bytes, text.size()));
    text += '\n';
    return text.size() < most_bytes;
  });
  return text;
}

nlohmann::json read_json_file(const fs::path& file) {
  const std::string text = read_start(file, largest_json);
  require(text.size() < largest_json, "the file is larger than {}", byte_size(largest_json));
  return parse_json(text, "the file");
}

std::optional<double> number_in(const nlohmann::json& object, const char* field) {
  if (!object.is_object()) {
    return std::nullopt;
  }
  const auto found = object.find(field);
  if (found == object.end() || !found->is_number() || !std::isfinite(found->get<double>())) {
    return std::nullopt;
  }
  return found->get<double>();
}

std::string text_in(const nlohmann::json& object, const char* field) {
  if (!object.is_object()) {
    return "";
  }
  const auto found = object.find(field);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace precis
