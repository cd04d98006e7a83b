#include "connectors/file/io_error.h"

#include <cerrno>
#include <system_error>

namespace relay::connectors::file {

Error io_error(int error_number, std::string_view attempted, const std::string& path) {
  // generic_category().message() is the thread-safe strerror.
  const auto what =
      "cannot " + std::string(attempted) + " " + path + ": " + std::generic_category().message(error_number);
  switch (error_number) {
    case ENOSPC:
    case EDQUOT:
      return {ErrorKind::transient, "disk_full", what,
              "free space on that file system; the relay goes on by itself as soon as there is some"};
    case EACCES:
    case EPERM:
    case EROFS:
      return {ErrorKind::fatal, "file_permission_denied", what,
              "let the user that runs the relay write to the directory and to the files in it"};
    case ENOENT:
    case ENOTDIR:
      return {ErrorKind::fatal, "file_directory_missing", what,
              "create the directory; the relay makes files, not directories"};
    case EISDIR:
      return {ErrorKind::fatal, "file_is_directory", what, "let sink.path name a file inside that directory"};
    case ENAMETOOLONG:
    case ELOOP:
      return {ErrorKind::fatal, "file_path_invalid", what, "choose another sink.path"};
    case EFBIG:
      return {ErrorKind::fatal, "file_too_large", what,
              "raise the file size limit (ulimit -f), or begin with another sink.path"};
    default:
      return {ErrorKind::transient, "file_io_failed", what, "see the kernel's log for the state of that disk"};
  }
}

}  // namespace relay::connectors::file
