// Inputs that can be read only once, read by rank 0 and handed on to the other ranks.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "io/input_file.hpp"
#include "parallel/mpi_session.hpp"

namespace precis {

/// What is not a regular file (standard input, a named pipe, a process substitution, a socket, a
/// terminal): only one process can read it, and only once. Rank 0 does, and each node keeps the
/// bytes in a file without a name, in $TMPDIR or /tmp, as long as this object lives. Several keys
/// may have the same name.
class HandedFiles {
 public:
  /// Nothing is handed on: every file is read under its own name.
  HandedFiles() = default;
  /// Collective. `names` are names and globs as `expand_files` takes them, empty ones apart; those
  /// of rank 0 count. Throws AgreedError if rank 0 cannot read one of them, or a node cannot keep
  /// it.
  HandedFiles(MpiSession& mpi, const std::vector<std::string>& names);
  ~HandedFiles();
  HandedFiles(HandedFiles&&) = delete;
  HandedFiles& operator=(HandedFiles&&) = delete;

  [[nodiscard]] bool has(const std::string& name) const { return descriptors_.contains(name); }
  /// Where to read the file.
  [[nodiscard]] InputFile of(const std::string& name) const;
  /// The files that names and globs stand for, as `expand_files`.
  [[nodiscard]] std::vector<InputFile> expand(const std::vector<std::string>& patterns) const;

 private:
  std::map<std::string, int> descriptors_;
};

}  // namespace precis
