# Writes snapshot/support/version.h: the version of the project and the git revision it was built from.
# The revision is looked up whenever git's HEAD moves; without git (a source tarball) it is empty.
set(DOPPEL_GENERATED_DIR ${PROJECT_BINARY_DIR}/generated)
set(doppel_revision "")
find_package(Git QUIET)
if(Git_FOUND AND EXISTS ${PROJECT_SOURCE_DIR}/.git)
  execute_process(COMMAND ${GIT_EXECUTABLE} rev-parse --short=12 HEAD
                  WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
                  OUTPUT_VARIABLE doppel_revision OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  execute_process(COMMAND ${GIT_EXECUTABLE} rev-parse --git-path logs/HEAD
                  WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
                  OUTPUT_VARIABLE doppel_git_head OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(doppel_git_head)
    cmake_path(ABSOLUTE_PATH doppel_git_head BASE_DIRECTORY ${PROJECT_SOURCE_DIR})
    if(EXISTS ${doppel_git_head})
      set_property(DIRECTORY ${PROJECT_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${doppel_git_head})
    endif()
  endif()
endif()
configure_file(${PROJECT_SOURCE_DIR}/snapshot/support/version.h.in
               ${DOPPEL_GENERATED_DIR}/snapshot/support/version.h @ONLY)
